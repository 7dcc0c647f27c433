"""What goes wrong is one sentence and loses nothing."""

import csv
import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from safetensors.torch import load_file

from command_line import QUICK, call, complaint
from disentone import cli
from disentone.embeddings.networks import write_tensors

# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
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
        ("train debug --device cuda:99 --out words", "no device 'cuda:99'"),
        ("reproduce marl --device cuda:99 --out words", "no device 'cuda:99'"),
        ("train debug --set training.precision=float23", "did you mean 'float32'?"),
        ("train debug --data .", "takes no other"),
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
def test_bad_input_is_one_sentence_and_exit_code_2(words, message, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    for name in ("words.txt", "words/a.wav", "words/b.wav"):
        (tmp_path / name).write_text("words")
    assert message in complaint(*shlex.split(words))
    assert (tmp_path / "words.txt").read_text() == "words"
    assert sorted(path.name for path in (tmp_path / "words").iterdir()) == ["a.wav", "b.wav"]


@pytest.mark.parametrize(
    "words",
    ["audit codes.npy", "embed run clips", "index run clips", "inspect clips", "reproduce csn"],
)
def test_no_jobs_are_refused(words):
    done = call(*words.split(), "--jobs", "0")
    assert (done.code, done.out) == (2, "")
    assert "--jobs" in done.err
    assert "greater than or equal to 1" in done.err


def test_a_silent_collection_is_one_sentence(tmp_path):
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        soundfile.write(tmp_path / name, [0.0] * 8000, 8000)
    rows = [f"{name}.wav,{one},train" for name, one in zip("abcd", ("x,1", "x,5", "y,1", "y,5"))]
    (tmp_path / "clips.csv").write_text("\n".join(["path,instrument,pitch,split", *rows]))
    message = complaint("train", "marl-notes", "--data", tmp_path)
    assert "None of the 4 clips is usable" in message


def test_a_run_is_neither_run_over_nor_mixed(copied):
    assert "finished run: add --resume" in complaint("train", "debug", "--out", copied, *QUICK)
    message = complaint("train", "debug", "--out", copied)  # to resume it would be refused next
    assert "finished run with other settings" in message
    message = complaint("train", "debug", "--out", copied, "--resume", "--seed", 9)
    assert "started with other settings" in message


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

    monkeypatch.setattr("disentone.runs.training.train", bug)
    monkeypatch.setattr(sys, "argv", ["disentone", "train", "debug"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


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


# --- a full disk, and Ctrl-C ----------------------------------------------------------------------


@pytest.mark.parametrize("writes", [0, 3, 7, 12])
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
        message = complaint("train", "debug", "--out", "run", *QUICK)
    assert "could not be written (No space left on device): free space" in message
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
    stopped = re.search(
        r"^Stopped\. What is done is kept; go on with: disentone (.*)$", err, re.MULTILINE
    )
    resumed = call(*shlex.split(stopped[1]))
    assert (resumed.code, resumed.out) == (0, "my run/report.html\n")
    lines = metrics.read_text().splitlines()
    assert lines[: len(done) - 1] == done[:-1], "not done again; the last one may have to be"
    assert [json.loads(line)["epoch"] for line in lines] == list(range(epochs))


STOPPED = {
    "inspect .": "disentone.datasets.inspection.inspect",
    "embed run sounds -o x.npz": "disentone.embeddings.collection.embed_collection",
    "index run sounds -o x.index": "disentone.embeddings.indexing.index_collection",
    "search x.index a": "disentone.search.Index.open",
    "serve x.index": "disentone.search.store.check_there",
    "audit codes.npy factors.csv": "disentone.runs.arrays.audit_arrays",
    "compare a b": "disentone.audit.Card.load",
    "triplets codes.npy --triplets t.csv": "disentone.runs.judging.judge_files",
    "train debug": "disentone.runs.training.train",
    "reproduce marl": "disentone.reproduce.reproduce",
    "info run": "disentone.embeddings.model_files.describe",
    "recipes": "disentone.recipes.recipe_names",
}


@pytest.mark.parametrize("words", STOPPED)
def test_ctrl_c_is_one_line_in_every_verb(words, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(STOPPED[words], stop)
    done = call(*words.split())
    assert (done.code, done.out) == (130, ""), done
    *_, line = done.err.splitlines()
    kept = f"Stopped. What is done is kept; go on with: disentone {words.split()[0]} "
    assert line.startswith((kept, "Stopped. Nothing is kept: the same command begins anew."))
    assert "Traceback" not in done.err


def test_epochs_are_an_option_and_other_keys_are_told(tmp_path):
    done = call("train", "debug", "--epochs", 1, "--set", "audit.seeds=1", "--out", "run", "-q")
    assert (done.code, len((tmp_path / "run/metrics.jsonl").read_text().splitlines())) == (0, 1)
    done = call("train", "debug", "--lr", "0.1")
    assert (done.code, done.out) == (2, "")
    words = done.err.replace("│", " ").split()
    assert "No such option: --lr; --set sets any other key of a recipe" in " ".join(words)


@pytest.mark.parametrize("verb", ["train", "inspect", "search", "compare", "index", "serve"])
def test_usage_is_written_without_braces(verb):
    usage = next(line for line in call(verb, "--help").out.splitlines() if "Usage" in line)
    assert "{" not in usage


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


# --- before audio is read -------------------------------------------------------------------------


@pytest.fixture
def unread(tone, table, monkeypatch):
    """Clips whose sound must not be read."""
    for number in range(20):
        tone(f"{number:02d}.wav", frequency=200 + 30 * number, seconds=0.3)
    rows = [[f"{number:02d}.wav", *("ac", "bd")[number % 2]] for number in range(20)]
    table([["path", "one", "other"], *rows])

    def read(*_, **__):
        raise AssertionError("read")

    monkeypatch.setattr("disentone.runs.preparation.compute_features", read)
    monkeypatch.setattr("disentone.embeddings.indexing.list_clips", read)
    return ("train", "facets", "--data", ".", "--out", "run", "--facet", "rest:2")


def test_a_facet_in_which_nobody_agrees_is_told_before_audio_is_read(unread):
    message = complaint(*unread, "--facet", "a:2 same=one differ=other")
    assert "clips lack a partner" in message


def test_missing_extras_are_told_before_audio_is_read(unread, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "audiomentations", None)
    assert "'disentone[augment]'" in complaint(*unread, "--facet", "a:2 augment=gain")
    monkeypatch.setitem(sys.modules, "lancedb", None)
    assert "'disentone[search]'" in complaint("index", trained[0], ".", "-o", "x.index")
    assert not os.path.exists("x.index")
