"""What the keeper makes of what its process tells, and how that process ends."""

import subprocess
import time

import pytest

from disentone.embeddings.keeping_process import Order
from disentone.serve import keeper as module
from disentone.serve.keeper import Keeper

LONG = 60  # seconds that a busy machine may take


@pytest.fixture
def mute(monkeypatch):
    """A keeper whose process does what a line of Python says."""
    import sys

    started, begin = [], subprocess.Popen

    def start(code="import sys; sys.stdin.read()"):
        monkeypatch.setattr(
            module.subprocess,
            "Popen",
            lambda command, **options: begin([sys.executable, "-c", code], **options),
        )
        started.append(Keeper(Order("model", ["/a"], "/out", watch=True)))
        return started[-1]

    yield start
    for keeper in started:
        keeper.stop()


def take(keeper, kind, **facts):
    keeper._take({"kind": kind, **facts})
    return keeper.describe()


def test_a_pass_is_counted(mute):
    keeper = mute()
    now = keeper.describe()
    assert (now.state, now.found, now.counted, now.done, now.watching) == (
        "indexing", 0, False, 0, True,
    )  # fmt: skip
    take(keeper, "found", found=40, counted=False)
    now = take(keeper, "progress", done=60, failed=2)  # the count lags behind
    assert (now.found, now.counted, now.done, now.failed) == (60, False, 60, 2)
    now = take(keeper, "found", found=100, counted=True)
    assert (now.found, now.counted) == (100, True)
    now = take(keeper, "done")
    assert (now.state, now.found, now.counted, now.seconds_left) == ("current", 60, True, None)
    now = take(keeper, "pass")
    assert (now.state, now.done, now.failed, now.failures) == ("indexing", 0, 0, [])


def test_the_time_left_follows_from_the_last_seconds(mute, monkeypatch):
    keeper, clock = mute(), [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    take(keeper, "found", found=1000, counted=True)
    for second in range(101):
        clock[0] = float(second)
        done = 2 * second if second <= 50 else 100 + 10 * (second - 50)
        now = take(keeper, "progress", done=done, failed=0)
        if second == 50:
            assert now.seconds_left == pytest.approx(900 / 2)
    assert now.seconds_left == pytest.approx(400 / 10)


def test_no_more_failures_are_named_than_a_page_can_show(mute):
    keeper = mute()
    for number in range(module._LISTED + 10):
        now = take(keeper, "skipped", path=f"{number}.wav", reason="Silent.")
    assert len(now.failures) == module._LISTED
    assert now.failures[0].path == "0.wav"


def listen(keeper):
    states = []
    keeper.follow(lambda: None, states.append)
    end = time.monotonic() + LONG
    while not (states and states[-1].state == "failed") and time.monotonic() < end:
        time.sleep(0.02)
    return states[-1]


def test_a_process_that_breaks_off_is_told(mute):
    now = listen(mute("import os, sys; print('Out of luck', file=sys.stderr); os._exit(9)"))
    assert (now.state, now.watching) == ("failed", False)
    assert now.error == "Indexing broke off (Out of luck): start it again."


def test_an_error_of_the_process_is_told(mute):
    code = """import json; print(json.dumps({"kind": "failed", "error": "The disk is full."}))"""
    assert listen(mute(code)).error == "The disk is full."


def test_to_stop_ends_the_process(mute):
    keeper = mute()
    process = keeper._process
    assert process.poll() is None
    keeper.stop()
    assert process.poll() is not None
