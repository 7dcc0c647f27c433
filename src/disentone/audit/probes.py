"""Probes: how well a small network predicts a factor from a facet.

A probe that is not trained to the end hides leaks, so this one is trained until it stops getting
better, and it looks at the facet in two ways (see :func:`fit_probe`). Probes of one shape are
trained together.

References
----------
G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier probes", 2017.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from disentone.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from disentone.audit.fitting import Lessons

__all__ = ["Probe", "Question", "fit_probe", "fit_probes", "one_thread", "together"]

SMALL = 1000  # training clips; with fewer, the weights get a prior instead of an early stop
CHOOSING = 50  # steps after which the better view of such a probe is chosen
STEPS = 200  # of such a probe itself
WHITEN = 4  # clips for each dimension that such a probe needs to whiten
TINY = 1e-12  # the least probability that a probe gives
FLAT = 1e-6  # principal components with less of the largest one's variance are rounding
STACK = 32  # probes that are trained together at most
NUMBERS = 2**24  # inputs, or weights and what Adam keeps of them, of a stack: 64 MiB of each
WIDTH = 8  # inputs and outputs are padded to multiples of this

View = tuple[np.ndarray, np.ndarray]  # mean (dims,) and rotation (dims, inputs)


@dataclass(frozen=True)
class Probe:
    """A trained probe.

    Parameters
    ----------
    mean : ndarray, shape (dims,)
        Training mean of every dimension.
    rotation : ndarray, shape (dims, inputs)
        Scales, and rotates where the whitened view won.
    weights : list of Tensor
        Of its network: see :class:`~disentone.audit.stacks.Stack`.
    classes : ndarray of int
        Codes of the classes seen in training, in the order of the network's outputs; for a
        multi-label probe the label columns.
    several : bool
        Whether several labels may be true.
    loss : float
        Cross-entropy on the held-out part of the training clips, in nats per clip; NaN where
        there was one view alone and nothing to choose.
    """

    mean: np.ndarray
    rotation: np.ndarray
    weights: list[Tensor]
    classes: np.ndarray
    several: bool
    loss: float

    def probabilities(self, embedding: np.ndarray) -> np.ndarray:
        """Probability of every class, or of every label of a multi-label probe.

        Parameters
        ----------
        embedding : ndarray, shape (clips, dims)

        Returns
        -------
        ndarray, shape (clips, outputs)
            In [1e-12, 1], in the order of ``classes``.
        """
        import torch

        from disentone.audit.stacks import Stack

        stack = Stack([self.weights], several=self.several)
        inputs = _seen(embedding, (self.mean, self.rotation), width=self.weights[0].shape[0])
        probabilities = stack.probabilities(torch.from_numpy(inputs[None]))[0].numpy()
        return np.maximum(probabilities[:, : len(self.classes)], TINY)


@dataclass(frozen=True)
class Question:
    """What a probe learns from.

    Parameters
    ----------
    embedding : ndarray, shape (clips, dims)
    rows : ndarray of int, shape (training clips,)
        The clips to learn from.
    labels : ndarray of int, shape (training clips,) or (training clips, labels)
        Class codes, or 0 and 1 for every label of a multi-label factor; none unknown.
    seed : int
        Of the weights, the order and the held-out part.
    """

    embedding: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    seed: int

    @property
    def small(self) -> bool:
        """Whether there are few clips."""
        return len(self.labels) < SMALL

    @property
    def classes(self) -> np.ndarray:
        """What the outputs stand for."""
        return np.unique(self.labels) if self.labels.ndim == 1 else np.arange(self.labels.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Inputs and outputs of its network, padded."""
        sizes = self.embedding.shape[1], len(self.classes)
        inputs, outputs = (-(-size // WIDTH) * WIDTH for size in sizes)
        return inputs, outputs


def fit_probe(*, embedding: np.ndarray, labels: np.ndarray, seed: int = 0) -> Probe:
    """Train a two-layer probe: one hidden layer of 128 ReLU units and an output layer.

    Two networks are trained, on z-scored dimensions and on whitened ones (statistics of these
    clips), and the one with the lower cross-entropy on 15 % of the clips, held out from the
    fitting, is the probe. Adam at 0.005; when the held-out loss has not fallen by a thousandth of
    a nat for six epochs, the best weights are restored and the batch grows fourfold, three sizes
    in all.

    Where there are fewer than 1,000 training clips, 15 % of them are too few to decide when to
    stop, and too many to do without: the weights get a normal prior of variance 1/2 (weight decay
    that falls with the number of clips), every step is of all clips, 50 steps decide which view is
    better and 200 fit it again with none held out. Whitening needs four clips a dimension, or it
    shows only noise. Measured on 710 notes: instrument from a mean log-mel vector 0.61 before and
    0.84 so, pitch from 24 learnt dimensions 0.97 and 0.99.

    Parameters
    ----------
    embedding : ndarray, shape (clips, dims)
        Training clips only.
    labels : ndarray of int, shape (clips,) or (clips, labels)
        Class codes, or 0 and 1 for every label of a multi-label factor; none unknown.
    seed : int
        Of the weights, the order and the held-out part.

    Returns
    -------
    Probe

    Raises
    ------
    DataError
        If there is nothing to predict: fewer than two clips, one class, or only labels that
        never change.
    """
    labels = np.asarray(labels)
    question = Question(np.asarray(embedding), np.arange(len(labels)), labels, seed)
    with one_thread():
        return fit_probes([question])[0]


def together(questions: Sequence[Question]) -> list[list[int]]:
    """Give which of several probes to train in one stack, as places in the sequence.

    They have as many clips, and as many inputs and outputs when padded.
    """
    from disentone.audit.stacks import numbers

    same_shape: dict[Any, list[int]] = defaultdict(list)
    for place, one in enumerate(questions):
        same_shape[len(one.labels), one.labels.ndim, *one.shape].append(place)
    stacks = []
    for (clips, _, inputs, outputs), places in same_shape.items():
        each = 2 * max(clips * inputs, 4 * numbers(inputs, outputs))  # two views, and Adam's state
        most = max(1, min(STACK, NUMBERS // each))
        stacks += [part.tolist() for part in np.array_split(places, -(-len(places) // most))]
    return stacks


def fit_probes(questions: Sequence[Question]) -> list[Probe]:
    """Train probes in one stack; each is what :func:`fit_probe` gives, whatever it is beside.

    Parameters
    ----------
    questions : sequence of Question
        Of one shape, as :func:`together` finds them.

    Raises
    ------
    DataError
        If one of them has nothing to predict.
    """
    small = questions[0].small
    for one in questions:
        _check(one.labels)
    views = _each_once(questions)
    candidates = [[_Candidate(one, view) for view in own] for one, own in zip(questions, views)]
    _fit([one for own in candidates if len(own) > 1 or not small for one in own], hold=True)
    best = [min(own, key=lambda one: one.loss) for own in candidates]
    if small:
        _fit(best, hold=False)
    return [one.probe() for one in best]


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep products to one thread: small ones only wait for each other, and all stay the same."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(threads)


def _check(labels: np.ndarray) -> None:
    if len(labels) < 2 or (labels == labels[0]).all():
        raise DataError(
            f"A probe needs at least two training clips and two classes: there are {len(labels)} "
            f"clips with a known value and {len(np.unique(labels, axis=0))} different values."
        )


# --- what networks see --------------------------------------------------------------------------


def _each_once(questions: Sequence[Question]) -> list[list[View]]:
    """Views of every question; those of the same clips are the same objects."""
    known: dict[tuple[int, int], list[View]] = {}
    for one in questions:
        key = id(one.embedding), id(one.rows)
        if key not in known:
            known[key] = _views(np.asarray(one.embedding[one.rows], dtype=np.float64))
    found = [known[id(one.embedding), id(one.rows)] for one in questions]
    enough = [not q.small or len(q.rows) >= WHITEN * q.embedding.shape[1] for q in questions]
    return [views if whiten else views[:1] for views, whiten in zip(found, enough)]


def _views(embedding: np.ndarray) -> list[View]:
    """Views that z-score and whiten; constant dimensions become zeros."""
    mean = embedding.mean(axis=0)
    spread = embedding.std(axis=0)
    size = np.abs(embedding).max(axis=0)
    scale = np.where(spread > FLAT * size, 1 / np.where(spread > 0, spread, 1), 0.0)
    scored = np.diag(scale)
    if np.count_nonzero(scale) < 2:
        return [(mean, scored)]
    inputs = (embedding - mean) * scale
    power, axes = np.linalg.eigh(inputs.T @ inputs / len(inputs))
    kept = power > FLAT * power[-1]
    return [(mean, scored), (mean, scored @ axes[:, kept] / np.sqrt(power[kept]))]


def _seen(embedding: np.ndarray, view: View, *, width: int) -> np.ndarray:
    """Inputs (clips, width) of a network, the last ones 0."""
    mean, rotation = view
    inputs = np.zeros((len(embedding), width), dtype=np.float32)
    inputs[:, : rotation.shape[1]] = (embedding - mean) @ rotation
    return inputs


# --- what networks learn ------------------------------------------------------------------------


@dataclass
class _Candidate:
    """A network that may become the probe: its question, its view and its held-out loss."""

    question: Question
    view: View
    loss: float = np.nan
    weights: list[Tensor] | None = None

    def probe(self) -> Probe:
        assert self.weights is not None  # it was fitted
        several = self.question.labels.ndim == 2
        return Probe(*self.view, self.weights, self.question.classes, several, self.loss)


def _fit(candidates: Sequence[_Candidate], *, hold: bool) -> None:
    """Train networks in one stack, and judge them by clips that are held out."""
    from disentone.audit.fitting import fit_until_it_stops, fit_with_prior
    from disentone.audit.stacks import first_weights

    if not candidates:
        return
    questions = [one.question for one in candidates]
    first = [
        first_weights((one.view[1].shape[1], len(q.classes)), padded=q.shape, seed=q.seed)
        for one, q in zip(candidates, questions)
    ]
    lessons = _lessons(candidates, hold=hold)
    several = questions[0].labels.ndim == 2
    if questions[0].small:
        steps = CHOOSING if hold else STEPS
        networks, losses = fit_with_prior(first, lessons, several=several, steps=steps)
    else:
        seeds = [one.seed for one in questions]
        networks, losses = fit_until_it_stops(first, lessons, several=several, seeds=seeds)
    for one, weights, loss in zip(candidates, networks, losses):
        one.weights = weights
        one.loss = float(loss) if hold else one.loss


def _lessons(candidates: Sequence[_Candidate], *, hold: bool) -> Lessons:
    """What networks see and learn, each table once, and which clips they are judged by."""
    import torch

    from disentone.audit.fitting import Lessons

    width, outputs = candidates[0].question.shape
    questions = list({id(one.question): one.question for one in candidates}.values())
    factor = {id(one): place for place, one in enumerate(questions)}
    orders = [np.random.default_rng(one.seed).permutation(len(one.labels)) for one in questions]
    count = len(orders[0])
    held = min(2000, max(1, round(0.15 * count)))
    inputs, source = [], {}
    for one in candidates:
        key = id(one.question.rows), id(one.view)
        if key not in source:
            source[key] = len(inputs)
            rows = one.question.embedding[one.question.rows]
            inputs.append(_seen(rows, one.view, width=width))
    targets = np.stack([_targets(one, outputs) for one in questions])
    of = np.array([factor[id(one.question)] for one in candidates])
    order = np.stack(orders)[of]
    fitted, rest = order[:, held if hold else 0 :], order[:, :held]
    judged = np.ones(rest.shape, dtype=bool)
    if targets.ndim == 2:  # a class that was never fitted does not count
        for place, own in enumerate(of):
            judged[place] = np.isin(targets[own][rest[place]], targets[own][fitted[place]])
    return Lessons(
        inputs=torch.from_numpy(np.stack(inputs)),
        targets=torch.from_numpy(targets),
        source=np.array([source[id(one.question.rows), id(one.view)] for one in candidates]),
        factor=of,
        fitted=fitted,
        held=rest,
        judged=judged,
    )


def _targets(question: Question, outputs: int) -> np.ndarray:
    """Numbers of the classes (clips,), or 0 and 1 for every output (clips, outputs)."""
    labels = question.labels
    if labels.ndim == 1:
        return np.searchsorted(question.classes, labels)
    return np.pad(labels.astype(np.float32), ((0, 0), (0, outputs - labels.shape[1])))
