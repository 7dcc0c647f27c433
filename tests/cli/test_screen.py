"""Lines of stages in a log."""

import contextlib
import io

import pytest
import typer
from rich.console import Console

from disentone.cli import screen
from disentone.errors import DataError


@pytest.fixture
def logged(monkeypatch):
    """A screen that is no terminal, a clock, and the lines of its log."""
    clock, lines = [0.0], []
    monkeypatch.setattr(screen.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(screen.Screen, "note", lambda self, text: lines.append(text))
    return clock, lines, screen.Screen(quiet=False)


def test_a_stage_logs_that_it_begins_and_what_is_left(logged):
    clock, lines, screen_ = logged
    show = screen_.stage("Auditing: probes")
    assert lines == ["Auditing: probes"]
    clock[0] = 10.0
    show(12, 36)
    assert lines[1:] == ["Auditing: probes (12 of 36), about 20 s left"]


def test_a_log_has_a_line_every_few_seconds_at_most(logged):
    clock, lines, screen_ = logged
    show = screen_.stage("Auditing: probes")
    for done in range(1, 101):
        clock[0] += 1.0
        show(done, 100)
    assert len(lines) == 1 + 19  # 100 s, a line every 5, and none for the end
    assert lines[1] == "Auditing: probes (5 of 100), about 95 s left"


def test_long_times_are_in_minutes(logged):
    clock, lines, screen_ = logged
    show = screen_.stage("Embedding")
    clock[0] = 60.0
    show(1, 11)
    assert lines[-1] == "Embedding (1 of 11), about 10 min left"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, DataError("wrong"), typer.Exit(130)])
def test_what_fails_leaves_no_bar_standing(monkeypatch, stop):
    """The bars are erased: what a terminal shows of them, from the last line up, is nothing."""
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(screen, "console", terminal)
    with contextlib.suppress(BaseException), screen.Screen(quiet=False) as shown:
        shown.stage("Embedding")(3, 10)
        shown.stage("Auditing")(1, 10)
        raise stop
    assert terminal.file.getvalue().endswith("\x1b[1A\x1b[2K" * 2)


def test_what_ends_well_leaves_its_bar(monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(screen, "console", terminal)
    with screen.Screen(quiet=False) as shown:
        shown.stage("Embedding")(10, 10)
    assert not terminal.file.getvalue().endswith("\x1b[1A\x1b[2K")
