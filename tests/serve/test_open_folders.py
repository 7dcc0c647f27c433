"""``disentone open``: real folders, a real process, and the page that it serves."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
import soundfile

import tiny_training

RATE = 16000
LONG = 120  # seconds that a busy machine may take


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_training.train(folder, epochs=1)
    return folder


@pytest.fixture
def sounds(tmp_path):
    """A folder of some tones in two sub-folders."""
    for number in range(40):
        write(tmp_path / "Sounds" / ("high" if number % 2 else "low") / f"{number}.wav", number)
    return tmp_path / "Sounds"


def write(path, number=0, level=0.4):
    path.parent.mkdir(parents=True, exist_ok=True)
    time_ = np.arange(RATE // 2) / RATE
    soundfile.write(path, level * np.sin(2 * np.pi * (200 + number) * time_), RATE)


class Opened:
    """The command, and what its server answers."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def address(self):
        self.url = self.process.stdout.readline().strip()
        assert self.url, self.process.stderr.read()
        return self.url

    def get(self, what, **options):
        request = urllib.request.Request(f"{self.url}{what}", **options)
        with urllib.request.urlopen(request, timeout=LONG) as answer:
            return answer.read()

    @property
    def library(self):
        return json.loads(self.get("api/v1/library"))

    def until(self, holds):
        end = time.monotonic() + LONG
        while not holds(now := self.library):
            assert time.monotonic() < end, now
            assert now["state"] != "failed", now
            time.sleep(0.05)
        return now

    def all_there(self, items):
        return self.until(lambda now: now["state"] == "current" and now["items"] == items)

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=LONG)
        return self.process.returncode, out, err


@pytest.fixture
def opened(tmp_path, model):
    """Run the command with a data directory of its own."""
    running = []

    def start(*words, data=tmp_path / "data"):
        command = [sys.executable, "-m", "disentone.cli", "open", *map(str, words)]
        command += ["--model", str(model), "--no-browser", "--jobs", "1"]
        environment = os.environ | {"XDG_DATA_HOME": str(data), "HOME": str(tmp_path)}
        running.append(Opened(command, environment))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.communicate()


def refusal(opened):
    out, err = opened.process.communicate(timeout=LONG)
    assert (opened.process.returncode, out) == (2, "")
    return err.splitlines()[-1]


def test_the_page_works_while_the_folder_is_indexed_and_the_next_start_goes_on(opened, sounds):
    before = sorted(str(path) for path in sounds.rglob("*"))
    first = opened(sounds)
    first.address()
    page = first.get("")
    assert b"<title>disentone</title>" in page
    assert first.library["state"] == "indexing"  # the model is not even loaded
    collection = json.loads(first.get("api/v1/collection"))
    assert (collection["name"], collection["uploads"]) == ("Sounds", True)
    now = first.all_there(40)
    assert (now["done"], now["found"], now["failed"], now["counted"]) == (40, 40, 0, True)
    assert now["folders"] == [str(sounds)]
    query = json.dumps({"query": {"examples": [{"item": "low/0.wav"}]}, "where": "folder = 'high'"})
    found = json.loads(
        first.get(
            "api/v1/search", data=query.encode(), headers={"Content-Type": "application/json"}
        )
    )
    assert found["candidates"] == 20
    assert {hit["factors"]["folder"] for hit in found["results"]} == {"high"}
    code, out, err = first.stop()
    assert (code, out) == (0, "")
    assert "All 40 sounds can be searched." in err
    assert sorted(str(path) for path in sounds.rglob("*")) == before  # nothing was written there

    os.remove(sounds / "low" / "0.wav")
    write(sounds / "new.wav", 50)
    second = opened(sounds)
    second.address()
    assert second.library["items"] == 40  # at once
    second.until(lambda now: now["state"] == "current")
    second.all_there(40)
    items = json.loads(second.get("api/v1/items"))
    names = {item["name"] for item in items["items"]}
    assert "new" in names
    assert "low/0" not in names


def test_ctrl_c_in_the_middle_keeps_what_is_committed(opened, sounds):
    for number in range(40, 400):
        write(sounds / f"{number}.wav", number)
    first = opened(sounds)
    first.address()
    first.until(lambda now: now["items"] > 0)
    code, _, err = first.stop()
    assert code == 0
    stopped_early = "Stopped. What is indexed is kept; the same command goes on." in err
    second = opened(sounds, "--quiet")
    second.address()
    kept = second.library["items"]
    assert kept >= 16
    assert stopped_early == (kept < 400)
    second.all_there(400)
    assert second.stop() == (0, "", "")


def test_a_second_open_gives_the_page_of_the_first(opened, sounds):
    first = opened(sounds)
    address = first.address()
    second = opened(sounds)
    assert second.address() == address
    _, err = second.process.communicate(timeout=LONG)
    assert second.process.returncode == 0
    assert "open already" in err
    first.stop(signal.SIGKILL)  # leaves its lock and its address behind
    third = opened(sounds)
    third.address()
    third.all_there(40)


def test_a_port_that_is_taken_is_left_for_another_unless_it_was_asked_for(opened, sounds):
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # another one has it, which is as good
            stack.enter_context(socket.create_server(("127.0.0.1", 8765)))
        first = opened(sounds)
        assert not first.address().endswith(":8765/")
        first.get("api/v1/health")
        port = first.url.rstrip("/").rsplit(":", 1)[1]
        other = opened(sounds.parent / "Sounds" / "low", "--port", port)
        assert refusal(other) == f"Error: Port {port} is taken: choose another."


def test_changes_are_taken_over_while_it_runs(opened, sounds):
    running = opened(sounds, "--watch")
    running.address()
    running.all_there(40)
    assert running.library["watching"]
    os.rename(sounds / "low" / "0.wav", sounds / "moved.wav")
    os.remove(sounds / "low" / "2.wav")
    write(sounds / "new.wav", 60)
    write(sounds / "new too.wav", 61)
    running.all_there(41)
    moved = json.loads(running.get("api/v1/item?id=low/0.wav"))  # the item is the same
    assert moved["factors"]["folder"] is None


def test_what_cannot_be_used_is_told_on_the_page_and_in_the_terminal(opened, tmp_path):
    folder = tmp_path / "Quiet"
    for name in ("a", "b"):
        write(folder / f"{name}.wav", level=0)
    (folder / "c.wav").write_bytes(b"no sound at all")
    running = opened(folder)
    running.address()
    now = running.until(lambda now: now["state"] == "current")
    assert (now["done"], now["failed"], now["items"]) == (3, 3, 0)
    reasons = {os.path.basename(item["path"]): item["reason"] for item in now["failures"]}
    assert set(reasons) == {"a.wav", "b.wav", "c.wav"}
    assert "silent" in reasons["a.wav"]
    assert json.loads(running.get("api/v1/collection"))["examples"] == []
    _, _, err = running.stop()
    assert "3 sounds, 3 of them cannot be used, such as" in err


def test_a_folder_of_one_file_is_a_collection(opened, tmp_path):
    write(tmp_path / "One" / "a.wav")
    running = opened(tmp_path / "One", tmp_path / "One")
    running.address()
    running.all_there(1)
    query = json.dumps({"query": {"examples": [{"item": "a.wav"}]}}).encode()
    headers = {"Content-Type": "application/json"}
    assert json.loads(running.get("api/v1/search", data=query, headers=headers))["results"] == []
    layout = json.loads(running.get("api/v1/map?facet=private"))
    assert len(layout["x"]) == 1


def test_a_table_gives_factors(opened, sounds):
    names = [f"{'high' if n % 2 else 'low'}/{n}.wav" for n in range(30)]
    rows = "".join(f"{name},{n % 7 + 0.5},k{n % 3}\n" for n, name in enumerate(names))
    (sounds / "clips.csv").write_text("path,height,kind\n" + rows)
    running = opened(sounds)
    running.address()
    running.all_there(30)
    factors = json.loads(running.get("api/v1/collection"))["factors"]
    assert {factor["name"]: factor["kind"] for factor in factors} == {
        "height": "number", "kind": "classes",
    }  # fmt: skip


def test_an_index_can_be_kept_elsewhere(opened, sounds, tmp_path):
    running = opened(sounds, "--index", tmp_path / "here.index")
    running.address()
    running.all_there(40)
    running.stop()
    assert (tmp_path / "here.index" / "items.lance").is_dir()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder.mkdir(), "There is no audio file in '{}': choose a folder with"),
        (lambda folder: None, "'{}' does not exist."),
    ],
    ids=["empty", "none"],
)
def test_nothing_to_open_is_refused_and_leaves_nothing(opened, tmp_path, make, sentence):
    make(tmp_path / "Folder")
    line = refusal(opened(tmp_path / "Folder"))
    assert line.startswith("Error: " + sentence.format(tmp_path / "Folder"))
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_cannot_be_written_is_told(opened, sounds, tmp_path):
    (tmp_path / "file").write_text("in the way")
    line = refusal(opened(sounds, data=tmp_path / "file"))
    assert "cannot be kept in" in line
    assert "disentone open FOLDER --index PLACE" in line


def test_a_place_of_other_things_is_not_touched(opened, sounds, tmp_path):
    before = sorted(os.listdir(sounds))
    assert "holds other things than an index" in refusal(opened(sounds, "--index", sounds))
    assert sorted(os.listdir(sounds)) == before


def test_a_name_of_no_model_is_refused(opened, sounds):
    process = opened(sounds, "--model", "sonds").process  # the last one of two counts
    process.kill()
    command = [sys.executable, "-m", "disentone.cli", "open", str(sounds), "--model", "sonds"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "did you mean 'sounds'" in done.stderr


def test_a_person_sees_how_far_it_is_and_searches_meanwhile(opened, sounds):
    """In a real browser: nothing is reloaded, and nothing goes wrong on the page."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        pytest.skip("no chromium: apt install chromium")
    (sounds / "broken.wav").write_bytes(b"no sound at all")
    (sounds / "<b>markup.wav").write_bytes(b"nor this")
    running, faults = opened(sounds), []
    address = running.address()
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(1000 * LONG)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        assert page.is_visible("#library-bar")
        assert page.inner_text("#title").startswith("Sounds")
        page.click("#examples .from")  # which come with the first sounds
        page.wait_for_selector(".result")
        page.wait_for_selector("#library-bar", state="hidden")
        assert page.inner_text("#library-text") == "40 sounds can be searched."
        page.locator("#title", has_text="40 sounds").wait_for()
        page.locator("#status", has_text="best of 39").wait_for()
        page.click("#library-failed summary")
        listed = page.inner_text("#library-failed li:nth-child(1)")
        assert listed.startswith(str(sounds))
        assert "2 sounds cannot be used" in page.inner_text("#library-failed")
        assert "<b>markup.wav" in page.inner_text("#library-failed ul")
        assert page.inner_text("#filters .filter summary").split()[0] == "folder"
        page.locator("#map[aria-label*='40 sounds']").wait_for()
        browser.close()
    assert faults == []
