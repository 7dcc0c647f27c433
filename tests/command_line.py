"""Commands run in this process, and what they say."""

import contextlib
import io
import sys
from collections import namedtuple

import pytest

from disentone import cli

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
