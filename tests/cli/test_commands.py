"""What the commands say and make."""

import json
import re
import shlex

import pytest
import typer
from safetensors.torch import load_file

import disentone
from command_line import QUICK, call, complaint
from disentone import Card, Facets, cli
from disentone.recipes import load_recipe, recipe_names
from disentone.runs.precision import kind_of, resolved

COMMANDS = typer.main.get_command(cli.app).commands


def test_version():
    assert call("--version") == (0, f"disentone {disentone.__version__}\n", "")


def test_help_lists_every_command():
    done = call("--help")
    assert done.code == 0
    assert all(name in done.out for name in COMMANDS)
    assert "Usage" in (nothing := call()).out + nothing.err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_shows_an_example_that_works(name):
    done = call(name, "--help")
    assert done.code == 0
    said = " ".join(done.out.split())
    for example in COMMANDS[name].epilog.removeprefix("Example: ").split(" · "):
        assert example in said
        program, command, *words = shlex.split(example)
        assert (program, command) == ("disentone", name)
        COMMANDS[name].make_context(name, words)  # refuses options that do not exist


@pytest.mark.parametrize("name", COMMANDS)
def test_help_breaks_lines_where_the_screen_does(name):
    for paragraph in COMMANDS[name].help.split("\n\n"):
        assert paragraph
        assert "\n" not in paragraph


def test_training_ends_with_the_path_of_the_report(trained):
    _, done = trained
    assert done.code == 0
    assert done.out == "runs/debug/report.html\n"
    assert "400 clips (train 320, valid 40, test 40)" in done.err
    for stage in ("Synthesising", "Training", "Auditing"):
        assert stage in done.err
    assert "reconstruction" in done.err, "loss terms"


def test_quiet_says_the_path_alone(copied):
    assert call("train", "debug", *QUICK, "--out", copied, "--resume", "--quiet") == (
        0,
        f"{copied}/report.html\n",
        "",
    )


def test_info_tells_what_a_model_is_and_what_its_audit_found(copied):
    done = call("info", copied)
    assert done.code == 0
    assert re.search(r"^recipe +debug$", done.out, re.MULTILINE)
    assert re.search(r"^facets +private \(3\), shared \(2\)$", done.out, re.MULTILINE)
    assert "16000 Hz, 0.25 s, 16 frames x 24 features" in done.out
    parameters = load_file(copied / "model.safetensors")
    count = sum(t.numel() for name, t in parameters.items() if name.startswith("network."))
    assert f"{count:,} parameters" in done.out
    assert f"trained    in {resolved('auto', 'cpu')} on {kind_of('cpu')}\n" in done.out
    assert "The shared facet predicts timbre at" in done.out
    (copied / "audit.json").unlink()
    assert "audit" not in call("info", copied).out


def test_recipes_are_listed():
    done = call("recipes")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == recipe_names()
    assert load_recipe("debug").about in done.out


def test_audit_writes_where_it_is_told(trained, tmp_path):
    done = call("audit", trained[0], "--out", "again")
    assert (done.code, done.out) == (0, "again/report.html\n")
    assert (tmp_path / "again" / "audit.json").is_file()


def test_settings_seed_and_data_reach_the_run(monkeypatch, tmp_path):
    taken = {}

    def run(recipe, folder, **options):
        taken.update(options, recipe=recipe, folder=str(folder))
        return "the/report.html"

    monkeypatch.setattr("disentone.runs.training.train", run)
    notes = tmp_path / "notes.csv"
    rows = [f"{name}.wav,{one},train" for name, one in zip("abcd", ("x,1", "x,5", "y,1", "y,5"))]
    notes.write_text("\n".join(["path,instrument,pitch,split", *rows]))
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        (tmp_path / name).write_bytes(b"sound")
    words = ["--data", str(notes), "--seed", "5", "--set", "training.epochs=7", "--resume"]
    done = call("train", "marl-notes", *words, "--device", "cuda:1")
    assert (done.code, done.out) == (0, "the/report.html\n")
    assert (taken["recipe"].seed, taken["recipe"].training.epochs) == (5, 7)
    assert taken["recipe"].data.path == str(notes)
    assert (taken["folder"], taken["resume"]) == ("runs/marl-notes", True)
    assert taken["device"] == "cuda:1"


@pytest.fixture
def demos(monkeypatch):
    """Folders that demos were asked to run in, each with whether it resumes; none is run."""
    taken = []

    def run(recipe, folder, *, resume, **_):
        taken.append((recipe.name, str(folder), resume))
        return folder / "report.html"

    recipe = load_recipe("debug").model_copy(update={"name": "demo"})
    monkeypatch.setattr("disentone.runs.training.train", run)
    monkeypatch.setattr("disentone.recipes.load_recipe", lambda *_, **__: recipe)
    return taken


def test_the_demo_goes_on_where_it_was_stopped_and_never_runs_over(demos, tmp_path):
    folder = tmp_path / "runs" / "demo"
    assert call("demo").out == "runs/demo/report.html\n"
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    call("demo")
    (folder / "report.html").touch()
    call("demo")
    call("demo", "--out", "mine")
    assert demos == [
        ("demo", "runs/demo", False),
        ("demo", "runs/demo", True),
        ("demo", "runs/demo-2", False),
        ("demo", "mine", False),
    ]


def test_inspecting_says_what_is_there_and_writes_it_as_json(tone, tmp_path):
    for pitch in range(60, 66):
        for instrument in ("harp", "oboe"):
            tone(f"{instrument}_{pitch}.wav", frequency=10 * pitch + ord(instrument[0]))
    (tmp_path / "broken.wav").write_text("this is not audio")
    page = tmp_path / "made" / "page.json"
    words = (tmp_path, "--pattern", "{instrument}_{pitch}.wav", "--json", page)
    done = call("inspect", *words)
    assert done.code == 0
    *lines, last = done.out.splitlines()
    assert last == str(page), "the path of what it made is the last line"
    assert "12 clips" in lines[0]
    assert any("broken.wav" in line for line in lines)
    assert '    --facet "rest:8"' in lines
    assert "Inspecting" in done.err
    assert len(json.loads(page.read_text())["files"]) == 12
    quiet = call("inspect", *words, "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, f"{page}\n", "")


def test_inspecting_cuts_and_splits_as_it_is_told(tone, tmp_path):
    for number in range(12):
        tone(f"{'ab'[number % 2]}/{number}.wav", frequency=200 + number, seconds=1.0)
    words = ("--segment", "0.5", "--hop", "0.25", "--split", "stratified:folder", "--seed", "3")
    out = " ".join(call("inspect", tmp_path, *words).out.split())
    assert "36 clips (18 s) from 12 files (12 s)" in out
    for setting in ("segment=0.5", "hop=0.25", 'split="stratified:folder"', "seed=3"):
        assert f"data.{setting}" in out, "the command to copy reads the same clips"


def test_embedding_writes_a_row_for_every_file(trained, tone, tmp_path):
    run = trained[0]
    for name in ("a.wav", "b/c.wav"):
        tone(name, seconds=0.5, rate=16000)
    (tmp_path / "broken.wav").write_text("this is not audio")
    out = tmp_path / "made.parquet"
    done = call("embed", run, tmp_path, "-o", out)
    assert done.code == 0
    assert done.out.splitlines()[-1] == str(out)
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(out).to_pydict()
    assert len(table["path"]) == 2
    assert {"private", "shared"} <= set(table)
    assert "broken.wav" in (tmp_path / "made-skipped.csv").read_text()
    assert "made.parquet" in complaint("embed", run, tmp_path, "-o", out)
    stopped = complaint("embed", run, tmp_path, "-o", tmp_path / "x.npz", "--on-error", "stop")
    assert "broken.wav" in stopped
    assert not (tmp_path / "x.npz").exists()


# --- compare --------------------------------------------------------------------------------------


def audited(folder, *, timbre="timbre"):
    """A small audit with one number, in a folder."""
    record = {"measure": "probe", "facet": "a", "factor": timbre, "metric": "accuracy"}
    numbers = {"value": 0.5, "low": 0.4, "high": 0.6, "chance": 0.2, "n": 9, "split": "test"}
    whole = {"measure": "mig", "facet": "all", "factor": "all", "metric": "score"}
    card = Card(Facets({"a": 2}), {timbre: {}}, (record | numbers, whole | numbers), str(folder))
    folder.mkdir(parents=True)
    card.save(folder / "audit.json")
    return folder


def test_compare_names_audits_by_as_much_of_their_paths_as_tells_them_apart(tmp_path):
    one, two = (audited(tmp_path / name / "audit") for name in ("flutes", "horns"))
    done = call("compare", one, two / "audit.json")
    assert done.code == 0, done
    assert done.out.splitlines()[0].split() == ["flutes/audit", "horns/audit"]
    deep = audited(tmp_path / ("a-very-long-name-" * 3))
    done = call("compare", one, deep)
    assert f": {deep.name}" in done.out.splitlines()[0]


def test_compare_says_that_audits_have_no_factor_in_common(tmp_path):
    one, two = audited(tmp_path / "one"), audited(tmp_path / "two", timbre="genre")
    done = call("compare", one, two)
    assert done.code == 0
    assert done.out.startswith("one (timbre) and two (genre) have no factor in common: ")
