import contextlib
import csv
import errno
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import numpy as np
import pytest
import soundfile
import typer
from safetensors.torch import load_file

import disentone
from disentone import cli
from disentone.artifact import write_tensors
from disentone.recipes import load_recipe, recipe_names

COMMANDS = typer.main.get_command(cli.app).commands
QUICK = ("--set", "training.epochs=2", "--set", "audit.seeds=1")
Done = namedtuple("Done", "code out err")


def call(*words):
    """Run a command in this process: exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["disentone", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return Done(ended.value.code or 0, out.getvalue(), err.getvalue())


def complaint(*words):
    """What a command that fails says: one line, and nothing on standard output."""
    done = call(*words)
    assert (done.code, done.out) == (2, ""), done
    *notes, line = done.err.splitlines()
    assert line.startswith("Error: ")
    assert not any("Error" in note or "Traceback" in note for note in notes)
    return line


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run as a newcomer makes it, for looking only; and what the command said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("cli"))
        done = call("train", "debug", *QUICK)
        return os.path.abspath("runs/debug"), done


@pytest.fixture
def copied(trained, tmp_path):
    """A finished run, to do anything with."""
    return shutil.copytree(trained[0], tmp_path / "copied")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Runs are made below the working folder."""
    monkeypatch.chdir(tmp_path)


# --- what is said ---------------------------------------------------------------------------------


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
    assert "The shared facet tells timbre at" in done.out
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

    monkeypatch.setattr("disentone.runs.train", run)
    words = ["--data", "some/notes", "--seed", "5", "--set", "training.epochs=7", "--resume"]
    done = call("train", "marl-notes", *words, "--device", "cuda:1")
    assert (done.code, done.out) == (0, "the/report.html\n")
    assert (taken["recipe"].seed, taken["recipe"].training.epochs) == (5, 7)
    assert taken["recipe"].data.path == "some/notes"
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
    monkeypatch.setattr("disentone.runs.train", run)
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


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train marl-sintone", "no recipe 'marl-sintone'; did you mean 'marl-syntone'?"),
        ("train nowhere.yaml", "no recipe file nowhere.yaml"),
        ("train debug --set training.epoch=1", "unknown key 'training.epoch'; did you mean"),
        ("train debug --set training.epochs=soon", "training.epochs: "),
        ("train debug --set facets.shared.same=timber", "no factor 'timber'; did you mean"),
        ("train debug --set facets.shared.same=frequency", "clips lack a partner"),
        ("train debug --set 'objective.1.facets=[shard]'", "facet 'shard'"),
        ("train debug --set audit.factors=[timber]", "no factor 'timber'"),
        ("train debug --set data.frequencies=2", "2 of 6 clips lack a partner"),
        ("train debug --device abacus", "no device 'abacus'"),
        ("train debug --data .", "takes no --data"),
        ("train marl-notes", "add --data FOLDER"),
        ("train marl-notes --data nowhere", "'nowhere' does not exist"),
        ("train marl-notes --data empty", "no usable audio file"),
        ("train marl-notes --data words", "no column 'pitch'"),
        ("train marl-notes --data words.txt", "is not a folder or a table"),
        ("train debug --out words", "words exists and is not a run"),
        ("train debug --out words.txt", "words.txt exists and is not a run"),
        ("train debug --out words.txt/below", "could not be written"),
        ("info nowhere", "There is no model in nowhere"),
        ("audit words", "There is no model in words"),
        ("reproduce marmalade", "no paper 'marmalade'; did you mean 'marl'?"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(words, said, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    for name in ("words.txt", "words/a.wav", "words/b.wav"):
        (tmp_path / name).write_text("words")
    assert said in complaint(*shlex.split(words))
    assert (tmp_path / "words.txt").read_text() == "words"
    assert sorted(path.name for path in (tmp_path / "words").iterdir()) == ["a.wav", "b.wav"]


def test_a_silent_collection_is_one_sentence(tmp_path):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, [0.0] * 8000, 8000)
    said = complaint("train", "marl-notes", "--data", tmp_path, "--set", "data.kinds={}",
                     "--set", "data.tolerances={}")  # fmt: skip
    assert "None of the 2 clips is usable" in said


def test_a_run_is_neither_run_over_nor_mixed(copied):
    assert "finished run: add --resume" in complaint("train", "debug", "--out", copied)
    said = complaint("train", "debug", "--out", copied, "--resume", "--seed", 9)
    assert "started with other settings" in said


def test_a_checkpoint_of_another_model_is_one_sentence(copied):
    tensors = load_file(copied / "model.safetensors")
    name = next(name for name, value in tensors.items() if value.ndim == 2)
    write_tensors(copied / "model.safetensors", tensors | {name: tensors[name][:1]})
    for command in ("info", "audit"):
        assert "do not belong together" in complaint(command, copied)


def test_a_long_message_is_not_broken_into_lines(tmp_path):
    """A path that is cut cannot be copied."""
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    assert str(deep) in complaint("info", deep)


def test_a_bug_is_not_taken_for_a_mistake_of_the_user(monkeypatch):
    def bug(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("disentone.runs.train", bug)
    monkeypatch.setattr(sys, "argv", ["disentone", "train", "debug"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


# --- a full disk, and Ctrl-C ----------------------------------------------------------------------


@pytest.mark.parametrize("writes", [0, 3, 7, 14])
def test_a_disk_that_gets_full_is_one_sentence_and_the_run_can_go_on(writes, tmp_path):
    """Full from the settings, the first model, the second epoch, the report on."""
    done, sync = [], os.fsync

    def fsync(handle):
        if len(done) >= writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done.append(handle)
        sync(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        said = complaint("train", "debug", "--out", "run", *QUICK)
    assert "could not be written (No space left on device): free space" in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".tmp"]
    for path in files:
        if path.suffix == ".json":
            json.loads(path.read_text())
        if path.suffix == ".safetensors":
            load_file(path)
    assert not (tmp_path / "run" / "report.html").exists()
    resumed = call("train", "debug", "--out", "run", *QUICK, "--resume", "--quiet")
    assert resumed == (0, "run/report.html\n", "")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1]


def test_ctrl_c_leaves_a_run_that_goes_on_as_it_says(tmp_path):
    epochs = 40
    words = ["train", "debug", "--out", "my run", "--set", f"training.epochs={epochs}",
             "--set", "audit.seeds=1", "--seed", "3"]  # fmt: skip
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from disentone.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    metrics, deadline = tmp_path / "my run" / "metrics.jsonl", time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and len(metrics.read_text().splitlines()) >= 2:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    done = metrics.read_text().splitlines()
    assert 2 <= len(done) < epochs, "stopped in the middle"
    told = re.search(r"^Stopped\. Go on with: disentone (.*)$", err, re.MULTILINE)
    resumed = call(*shlex.split(told[1]))
    assert (resumed.code, resumed.out) == (0, "my run/report.html\n")
    lines = metrics.read_text().splitlines()
    assert lines[: len(done) - 1] == done[:-1], "not done again; the last one may have to be"
    assert [json.loads(line)["epoch"] for line in lines] == list(range(epochs))


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


def test_what_cannot_be_inspected_is_one_clear_error(tone, tmp_path):
    assert "does not exist" in complaint("inspect", tmp_path / "nowhere")
    assert "no usable audio file" in complaint("inspect", tmp_path)
    (tmp_path / "a.wav").write_text("this is not audio")
    assert "a.wav: The file is not audio" in complaint("inspect", tmp_path)
    assert "'hop' needs 'segment'" in complaint("inspect", tmp_path, "--hop", "1")
    assert "--segment: " in complaint("inspect", tmp_path, "--segment", "0")
    tone("b.wav")
    blocked = tmp_path / "b.wav" / "page.json"
    assert "could not be written" in call("inspect", tmp_path, "--json", blocked).err


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


# --- a collection of everything that is odd or broken ---------------------------------------------

ODD_NAMES = ("a b, 'c' \"d\".wav", "🎻 ñ.wav", "[red]e[bold].wav", "x" * 251 + ".wav")
BROKEN = {
    "zero.wav": "0 bytes",
    "one.wav": "silent",
    "dc.wav": "silent",
    "nan.wav": "not finite",
    "text.wav": "not audio",
    "dangling.wav": "cannot be found",
}


@pytest.fixture
def odd(tone, tmp_path):
    """Two folders of tones, with every oddity in one of them."""
    for number in range(24):
        name = f"sounds/{'ab'[number % 2]}/{number:02d}.wav"
        tone(name, frequency=200 + 30 * number, seconds=0.3)
    folder = tmp_path / "sounds" / "a"
    for name in ODD_NAMES:
        tone(f"sounds/a/{name}", seconds=0.3)
    tone("sounds/a/192k.wav", rate=192000, seconds=0.3)
    noise = 0.1 * np.random.default_rng(0).standard_normal((2400, 8))
    soundfile.write(folder / "channels.wav", noise, 8000)
    soundfile.write(folder / "float64.wav", noise[:, 0], 8000, subtype="DOUBLE")
    (folder / "zero.wav").touch()
    (folder / "text.wav").write_text("no audio " * 100)
    soundfile.write(folder / "one.wav", [0.5], 8000)
    soundfile.write(folder / "dc.wav", np.full(2400, 0.7), 8000)
    soundfile.write(folder / "nan.wav", np.full(2400, np.nan), 8000, subtype="FLOAT")
    (folder / "dangling.wav").symlink_to("gone.wav")
    (folder / "loop").symlink_to(folder.parent)
    return folder.parent


def test_an_odd_collection_is_inspected_trained_on_and_embedded(odd):
    usable = 24 + len(ODD_NAMES) + 3
    page = " ".join(call("inspect", odd).out.split())
    assert f"{usable} clips" in page
    assert all(f"a/{name}" in page for name in BROKEN)
    facets = ("--facet", "folder:2 same=folder", "--facet", "rest:2")
    tiny = (
        "--set",
        "training.epochs=1",
        "--set",
        "audit.seeds=1",
        "--set",
        "audit.baselines=false",
    )
    done = call("train", "facets", "--data", odd, *facets, *tiny, "--out", "run")
    assert (done.code, done.out) == (0, "run/report.html\n"), done.err
    out = "rows, 🎻.npz"
    done = call("embed", "run", odd, "-o", out)
    assert (done.code, done.out) == (0, f"{out}\n"), done.err
    with np.load(out) as rows:
        assert {os.path.basename(path) for path in rows["path"]} >= set(ODD_NAMES)
        assert len(rows["path"]) == usable
    for name in ("run/skipped.csv", "rows, 🎻-skipped.csv"):
        with open(name, encoding="utf-8", newline="") as file:
            skipped = {os.path.basename(row["path"]): row["reason"] for row in csv.DictReader(file)}
        assert set(skipped) == set(BROKEN)
        assert all(reason in skipped[name] for name, reason in BROKEN.items())


def test_a_table_and_its_files_may_disagree(tone, table, tmp_path):
    names = [f"{number:02d}.wav" for number in range(20)]
    for number, name in enumerate(names):
        tone(name, frequency=200 + 30 * number, seconds=0.3)
    rows = [[name, "ab"[number % 2], "one"] for number, name in enumerate(names[:-2])]
    table([["path", "who", "same"], *rows, ["gone.wav", "a", "one"], ["./00.wav", "b", "one"]])
    page = " ".join(call("inspect", tmp_path).out.split())
    assert "18 clips" in page
    assert "gone.wav. The file cannot be found" in page
    assert "00.wav. The clip occurs twice" in page
    assert "2 audio files have no row" in page
    train = ("train", "facets", "--data", tmp_path, "--facet", "rest:2", "--out", "run")
    assert "only 1 class" in complaint(*train, "--facet", "f:2 same=same")
    no_match = complaint(*train, "--facet", "f:2 same=x", "--set", "data.pattern={x}_{y}.wav")
    assert "matches none of the 20 audio files" in no_match
