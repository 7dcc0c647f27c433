"""Training under torchrun: the losses of one process, and exact resume when a process is killed."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest

RUN = """
import sys
import torch
import tiny_training
from disentone.models import ModelConfig
from disentone.recipes.schema import TrainingConfig
from disentone.runs.loop import fit
from disentone.runs.processes import join, processes
from disentone.runs.step import Learner
from pathlib import Path

out, terms, stochastic, epochs = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "noise", sys.argv[4]
first = join("cpu")
network = ModelConfig(**tiny_training.NETWORK.model_dump() | {"stochastic": stochastic})
model, train, valid, _ = tiny_training.problem(network=network)
for split in (train, valid):  # so that every batch has an even number of clips
    split.sampler.anchors = split.sampler.anchors[: len(split.sampler.anchors) // 16 * 16]
objective = tiny_training.Objective(
    tiny_training.TERMS[terms], tiny_training.FACETS, {}, tiny_training.RELATIONS
)
config = TrainingConfig(epochs=int(epochs), batch=16, learning_rate=5e-3)
out.mkdir(exist_ok=True)
(out / f"pid{processes()[0]}").write_text(str(__import__("os").getpid()))
fit(Learner(model.network, objective, config), train, valid, out=out, resume=True,
    save_best=lambda: model.save(out))
"""


def begin(folder, out, processes, *, terms="plain", noise=False, epochs=4):
    """Start training in some processes."""
    script = folder / "run.py"
    script.write_text(RUN)
    words = [script, folder / out, terms, "noise" if noise else "none", epochs]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes]
    path = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *(launcher if processes > 1 else []), *words]
    return subprocess.Popen(
        list(map(str, command)), env=os.environ | path, stderr=subprocess.PIPE, text=True
    )


def history(folder, out):
    """Records of whole epochs, without times."""
    file = folder / out / "metrics.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    records = [json.loads(line) for line in lines]
    return [{name: v for name, v in record.items() if name != "seconds"} for record in records]


def finish(process):
    """Wait for its end, and give the exit status."""
    _, said = process.communicate(timeout=300)
    print(said)
    return process.returncode


@pytest.mark.parametrize("terms", ["plain", "cosines"])
def test_two_processes_have_the_losses_of_one_with_the_same_batch(tmp_path, terms):
    for out, processes in (("one", 1), ("two", 2)):
        assert finish(begin(tmp_path, out, processes, terms=terms)) == 0
    one, two = history(tmp_path, "one"), history(tmp_path, "two")
    assert len(one) == len(two) == 4
    assert one[-1]["train/total"] != one[0]["train/total"]
    for left, right in zip(one, two):
        assert left.keys() == right.keys()
        for name, value in left.items():
            assert math.isclose(value, right[name], rel_tol=1e-4, abs_tol=1e-6), name


def test_a_run_of_which_a_process_was_killed_goes_on_to_the_bit(tmp_path):
    assert finish(begin(tmp_path, "whole", 2, noise=True, epochs=12)) == 0
    process = begin(tmp_path, "killed", 2, noise=True, epochs=12)
    deadline = time.monotonic() + 200
    while len(history(tmp_path, "killed")) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(int((tmp_path / "killed" / "pid1").read_text()), signal.SIGKILL)
    assert finish(process) != 0, "the launcher ends the other process too"
    assert 3 <= len(history(tmp_path, "killed")) < 12, "killed in the middle"
    assert finish(begin(tmp_path, "killed", 2, noise=True, epochs=12)) == 0
    assert history(tmp_path, "killed") == history(tmp_path, "whole")
    one, other = (tmp_path / out / "model.safetensors" for out in ("whole", "killed"))
    assert one.read_bytes() == other.read_bytes()
