"""How probes learn: until the held-out loss stops falling, or to the end under a prior.

References
----------
S. L. Smith, P.-J. Kindermans, C. Ying, Q. V. Le, "Don't decay the learning rate, increase the
batch size", 2018 (the schedule).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from disentone.audit.stacks import Stack

__all__ = ["Lessons", "fit_until_it_stops", "fit_with_prior"]

LEARNING_RATE = 5e-3
PATIENCE = 6  # epochs without a better held-out loss before the batch grows
EPOCHS = 400
MIN_GAIN = 1e-3  # nats
PRIOR = 2.0  # precision of the weights where there are few clips
PRIOR_RATE = 3e-2
ROWS = 1024  # of a stack in one step, so that its units stay in the processor's cache

Networks = Sequence[list[Tensor]]  # weights of each


@dataclass(frozen=True)
class Lessons:
    """What each of several networks learns from, and is judged by.

    Parameters
    ----------
    inputs : Tensor, shape (sources, clips, inputs)
        Several networks may read one source.
    targets : Tensor, shape (factors, clips) or (factors, clips, labels)
        Numbers of the classes, or 0 and 1 for every label.
    source, factor : ndarray of int, shape (networks,)
        What each network reads, and what it learns.
    fitted, held : ndarray of int, shapes (networks, clips to fit) and (networks, held-out clips)
    judged : ndarray of bool, shape (networks, held-out clips)
        Held-out clips that count.
    """

    inputs: Tensor
    targets: Tensor
    source: np.ndarray
    factor: np.ndarray
    fitted: np.ndarray
    held: np.ndarray
    judged: np.ndarray

    def of(self, networks: np.ndarray) -> Lessons:
        """The same of some of the networks."""
        names = ("source", "factor", "fitted", "held", "judged")
        return replace(self, **{name: getattr(self, name)[networks] for name in names})

    def read(self, clips: np.ndarray) -> tuple[Tensor, Tensor]:
        """Inputs and targets of some clips (networks, rows) of each network."""
        return _taken(self.inputs, self.source, clips), _taken(self.targets, self.factor, clips)

    def judge(self, stack: Stack) -> np.ndarray:
        """Mean cross-entropy on the held-out clips, in nats; infinite where none counts."""
        losses = stack.losses(*self.read(self.held)).numpy()
        sums, counts = (losses * self.judged).sum(axis=1, dtype=float), self.judged.sum(axis=1)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def fit_until_it_stops(
    networks: Networks, lessons: Lessons, *, several: bool, seeds: Sequence[int]
) -> tuple[Networks, np.ndarray]:
    """Fit in batches until the held-out loss stops falling, each network for itself.

    When the held-out loss has not fallen by a thousandth of a nat for six epochs, the best weights
    are restored, Adam begins anew and the batch grows fourfold, three sizes in all.

    Parameters
    ----------
    networks : sequence of list of Tensor
        First weights, of one shape.
    lessons : Lessons
    several : bool
        Whether targets are labels and not classes.
    seeds : sequence of int
        Of the order of each network's clips.

    Returns
    -------
    networks : list
        The best weights of each.
    losses : ndarray, shape (networks,)
        Their held-out cross-entropy, in nats per clip.
    """
    best = list(networks)
    losses, epochs = np.full(len(best), np.inf), np.zeros(len(best), dtype=int)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    count = lessons.fitted.shape[1]
    first = int(np.clip(count // 50, 32, 256))
    for batch in (min(size, count) for size in (first, 4 * first, 16 * first)):
        for part in _parts(np.flatnonzero(epochs < EPOCHS), batch):
            stack, waited = Stack([best[i] for i in part], several=several), np.zeros(len(part))
            while len(part):
                _epoch(stack, lessons.of(part), [rngs[i] for i in part], batch)
                now = lessons.of(part).judge(stack)
                better = now < losses[part] - MIN_GAIN
                for place in np.flatnonzero(better).tolist():
                    best[part[place]] = stack.network(place)
                losses[part] = np.where(better, now, losses[part])
                epochs[part] += 1
                waited = np.where(better, 0, waited + 1)
                going = (waited < PATIENCE) & (epochs[part] < EPOCHS)
                if not going.all():
                    stack.keep(going)
                    part, waited = part[going], waited[going]
    return best, losses


def fit_with_prior(
    networks: Networks, lessons: Lessons, *, several: bool, steps: int
) -> tuple[Networks, np.ndarray]:
    """Fit on all clips at once, with a normal prior on the weights; for few clips.

    Parameters
    ----------
    networks, lessons, several
        As of :func:`fit_until_it_stops`.
    steps : int

    Returns
    -------
    networks : list
    losses : ndarray, shape (networks,)
        Held-out cross-entropy, in nats per clip; infinite where no clip counts.
    """
    fitted, losses = [], []
    for part in _parts(np.arange(len(networks)), lessons.fitted.shape[1]):
        stack = Stack([networks[i] for i in part], several=several, prior=PRIOR)
        some = lessons.of(part)
        read = some.read(some.fitted)
        for _ in range(steps):
            stack.step(*read, rate=PRIOR_RATE)
        fitted += [stack.network(place) for place in range(len(part))]
        losses.append(some.judge(stack))
    return fitted, np.concatenate(losses)


def _epoch(stack: Stack, lessons: Lessons, rngs: Sequence[np.random.Generator], batch: int) -> None:
    """Take every clip once, each network in its own order."""
    order = np.stack([rng.permutation(own) for rng, own in zip(rngs, lessons.fitted)])
    for start in range(0, order.shape[1], batch):
        stack.step(*lessons.read(order[:, start : start + batch]), rate=LEARNING_RATE)


def _parts(networks: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """Parts of the networks that take a step of so many rows each at once."""
    if len(networks):
        yield from np.array_split(networks, -(-len(networks) * batch // max(batch, ROWS)))


def _taken(table: Tensor, which: np.ndarray, clips: np.ndarray) -> Tensor:
    """Rows (networks, rows, *) of a table (sources, clips, *), as each network asks."""
    flat = torch.from_numpy((which[:, None] * table.shape[1] + clips).ravel())
    return table.flatten(0, 1).index_select(0, flat).unflatten(0, clips.shape)
