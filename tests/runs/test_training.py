import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tiny_training
from disentone.audio.windows import ClipWindows
from disentone.embeddings.model import load
from disentone.errors import ArtifactError, DataError, RecipeError
from disentone.models import ModelConfig
from disentone.recipes.schema import TrainingConfig
from disentone.runs.loop import fit
from disentone.runs.split import Split, Views
from disentone.runs.step import Learner


def without_time(history):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history]


def same_weights(one, two):
    one, two = (load_file(Path(folder) / "model.safetensors") for folder in (one, two))
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_training_lowers_the_loss_and_leaves_a_run(tmp_path):
    _, history = tiny_training.train(tmp_path)
    assert history[-1]["valid/total"] < 0.7 * history[0]["valid/total"]
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history
    assert {"model.safetensors", "config.json", "last", "metrics.jsonl"} == {
        p.name for p in tmp_path.iterdir()
    }
    assert {"train/reconstruction", "train/kl", "train/dkl_shared", "valid/mse"} <= set(history[0])


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    _, one = tiny_training.train(tmp_path / "one")
    _, two = tiny_training.train(tmp_path / "two")
    assert without_time(one) == without_time(two)
    assert same_weights(tmp_path / "one", tmp_path / "two")


def test_features_that_stay_in_a_file_train_the_same_model(tmp_path):
    """A split that is some rows of a map, against one whose clips were copied."""
    model, copied, valid, objective = tiny_training.problem()
    clips = len(copied)
    order = np.random.default_rng(1).permutation(2 * clips)[:clips]
    stored = np.full((2 * clips, *copied.features.shape[1:]), np.nan, dtype=np.float32)
    stored[order] = copied.features
    stored.tofile(tmp_path / "features.f32")
    mapped = np.memmap(tmp_path / "features.f32", np.float32, "r", shape=stored.shape)
    split = Split(mapped, copied.sampler, copied.mean, copied.std, ClipWindows.single(order))
    assert len(split) == clips
    one, other = (any_split.epoch(3) for any_split in (split, copied))
    cpu = torch.device("cpu")
    assert torch.equal(split.batch(one.windows[:7], cpu), copied.batch(other.windows[:7], cpu))
    _, expected = tiny_training.train(tmp_path / "copied", epochs=2)
    config = TrainingConfig(epochs=2, batch=16, learning_rate=5e-3)
    history = fit(
        Learner(model.network, objective, config),
        split,
        valid,
        out=tmp_path / "mapped",
        save_best=lambda: model.save(tmp_path / "mapped"),
    )
    assert without_time(history) == without_time(expected)
    assert same_weights(tmp_path / "mapped", tmp_path / "copied")


def test_resume_after_kill_is_bit_exact(tmp_path):
    epochs = 40
    _, whole = tiny_training.train(tmp_path / "whole", epochs=epochs)
    killed = tmp_path / "killed"
    script = [sys.executable, tiny_training.__file__, str(killed), str(epochs)]
    environment = os.environ | {"PYTHONPATH": str(Path(tiny_training.__file__).parent)}
    process = subprocess.Popen(script, env=environment)
    metrics = killed / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and len(metrics.read_text().splitlines()) >= 3:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(metrics.read_text().splitlines())
    assert 3 <= done < epochs, "killed in the middle"
    _, resumed = tiny_training.train(killed, epochs=epochs, resume=True)
    assert without_time(resumed) == without_time(whole)
    assert same_weights(killed, tmp_path / "whole")


def test_a_resumed_run_drops_the_same_entries(tmp_path):
    dropping = tiny_training.NETWORK.model_dump()
    dropping["encoder"] |= {"dropout": 0.5}
    config = TrainingConfig(epochs=4, batch=16, learning_rate=5e-3)

    def train(out, resume=False, progress=lambda _: None):
        model, train, valid, objective = tiny_training.problem(network=ModelConfig(**dropping))
        history = fit(
            Learner(model.network, objective, config),
            train,
            valid,
            out=out,
            save_best=lambda: model.save(out),
            resume=resume,
            progress=progress,
        )
        return without_time(history)

    def stop(now):
        if now.epoch == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(tmp_path / "stopped", progress=stop)
    whole = train(tmp_path / "whole")
    assert train(tmp_path / "stopped", resume=True) == whole
    assert same_weights(tmp_path / "stopped", tmp_path / "whole")
    _, without = tiny_training.train(tmp_path / "without", epochs=4)
    assert without_time(without) != whole, "nothing was dropped"


def test_resuming_with_another_model_is_refused(tmp_path):
    tiny_training.train(tmp_path, epochs=1)
    other = tiny_training.NETWORK.model_dump() | {"encoder": {"kind": "patch", "width": 8}}
    model, split, valid, objective = tiny_training.problem(network=ModelConfig(**other))
    with pytest.raises(ArtifactError, match="another model"):
        fit(
            Learner(model.network, objective, TrainingConfig(epochs=2)),
            split,
            valid,
            out=tmp_path,
            save_best=lambda: None,
            resume=True,
        )


def test_early_stop(tmp_path):
    _, history = tiny_training.train(
        tmp_path, epochs=200, patience=1, learning_rate=0.05, schedule="constant"
    )
    losses = [record["valid/total"] for record in history]
    assert len(history) < 200
    assert np.argmin(losses) == len(losses) - 2


def test_best_model_is_the_one_of_the_lowest_validation_loss(tmp_path):
    model, history = tiny_training.train(
        tmp_path, epochs=12, learning_rate=0.05, schedule="constant"
    )
    losses = [record["valid/total"] for record in history]
    assert np.argmin(losses) < len(losses) - 1, "the last epoch should not be the best here"
    best = load(tmp_path)
    last = load_file(tmp_path / "last" / "state.safetensors")
    name = "encoder.patches.0.weight"
    assert not torch.equal(best.network.state_dict()[name], last[f"learner0.{name}"])
    torch.testing.assert_close(model.network.state_dict()[name], last[f"learner0.{name}"])


def test_a_diverging_run_says_so(tmp_path):
    with pytest.raises(RecipeError, match="no longer finite"):
        tiny_training.train(tmp_path, learning_rate=1e30, max_grad_norm=None, warmup=0)


def test_a_validation_loss_that_is_not_finite_is_told(tmp_path):
    model, train, valid, objective = tiny_training.problem()
    valid.features[0] = torch.nan
    with pytest.raises(RecipeError, match="validation loss is not finite in epoch 0"):
        fit(
            Learner(model.network, objective, TrainingConfig(epochs=1)),
            train,
            valid,
            out=tmp_path,
            save_best=lambda: None,
        )


@pytest.mark.parametrize("name", ["Training", "Validation"])
def test_a_split_of_one_clip_is_refused_before_the_first_epoch(tmp_path, name):
    model, train, valid, objective = tiny_training.problem()
    lone = train if name == "Training" else valid
    lone.sampler.anchors = lone.sampler.anchors[:1]
    with pytest.raises(DataError, match=f"{name} needs at least 2 clips .* there are 1"):
        fit(
            Learner(model.network, objective, TrainingConfig(epochs=1)),
            train,
            valid,
            out=tmp_path,
            save_best=lambda: None,
        )
    assert not (tmp_path / "last").exists()


def test_bfloat16_trains_too(tmp_path):
    _, history = tiny_training.train(tmp_path, precision="bfloat16")
    assert history[-1]["valid/total"] < 0.7 * history[0]["valid/total"]


def test_every_clip_of_an_epoch_is_used_once_whatever_the_batch():
    from disentone.runs.loop import _slices

    for rows, batch in [*((37, batch) for batch in (2, 5, 16, 36, 37, 100)), (3, 2), (7, 2)]:
        views = Views(np.arange(rows)[:, None], 100 + np.arange(rows)[:, None])
        parts = list(_slices(views, batch))
        for one, whole in zip(zip(*parts), views, strict=True):
            np.testing.assert_array_equal(np.concatenate(one), whole)
        sizes = [len(part.windows) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= 2


def test_two_processes_have_the_gradient_of_one(tmp_path):
    tiny_training.gradients(0, 1, tmp_path)
    environment = os.environ | {"PYTHONPATH": str(Path(tiny_training.__file__).parent)}
    code = "import tiny_training, sys; tiny_training.gradients(int(sys.argv[1]), 2, sys.argv[2])"
    ranks = [
        subprocess.Popen([sys.executable, "-c", code, str(rank), str(tmp_path)], env=environment)
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in ranks] == [0, 0]
    one, two = (load_file(tmp_path / f"gradients{world}.safetensors") for world in (1, 2))
    assert one.keys() == two.keys()
    assert {name.partition(".")[0] for name in one} == set(tiny_training.TERMS)
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, atol=1e-5, rtol=1e-4)
