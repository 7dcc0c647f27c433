"""A finished run as the command line makes it."""

import os
import shutil

import pytest

from command_line import QUICK, call


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run as a newcomer makes it, for looking only; and what the command printed."""
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
