"""What a search gives: the best items, each with its score and its cosine in every facet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from disentone.errors import ArtifactError

if TYPE_CHECKING:
    import pandas

__all__ = ["Hit", "Results"]

_SHOWN = 10  # hits of a repr


@dataclass(frozen=True, repr=False)
class Hit:
    """One item that was found.

    Parameters
    ----------
    id : str
    path : str
        The audio file.
    recording : str
        What the item was cut from.
    start, end : float or None
        The part of the file, in seconds; None where unknown.
    score : float
        In [-1, 1]: the weighted mean of the facets' cosines, the sum of weight times cosine over
        the sum of absolute weights. With a negative weight, what is unlike the query is high.
    facets : dict of str to float
        What each facet adds to the score: its share of the weights times its cosine. They sum to
        the score.
    cosines : dict of str to float
        Likeness of query and item in each facet, its cosine in [-1, 1], whatever the weights; 0 in
        a facet that the query does not have.
    factors : dict of str to str, float or None
        The factors of the item; None where unknown.
    copies : tuple of str
        Ids of what was folded into this one; see ``fold`` of :meth:`OpenQuery.rank`.
    """

    id: str
    path: str
    recording: str
    start: float | None
    end: float | None
    score: float
    facets: dict[str, float]
    cosines: dict[str, float]
    factors: dict[str, Any]
    copies: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say what was found, with its cosine in every facet."""
        likeness = ", ".join(f"{name} {cosine:+.2f}" for name, cosine in self.cosines.items())
        return f"Hit('{self.id}', {self.score:.3f}: {likeness})"

    def to_json(self) -> dict[str, Any]:
        """Give a plain dictionary; the factors stand beside the rest."""
        place = {"recording": self.recording, "start": self.start, "end": self.end}
        named = {"id": self.id, "path": self.path, "score": self.score, "facets": self.facets}
        named |= {"cosines": self.cosines, "copies": list(self.copies)}
        return named | place | self.factors


@dataclass(frozen=True, repr=False)
class Results(Sequence[Hit]):
    """Items from the best to the worst; a sequence of :class:`Hit`.

    Parameters
    ----------
    hits : tuple of Hit
    weights : dict of str to float
        The weight of every facet, given or inferred.
    candidates : int
        How many items passed the filter.
    """

    hits: tuple[Hit, ...]
    weights: Mapping[str, float]
    candidates: int

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        """Give a hit by its rank, from 0."""
        return self.hits[index]

    def __iter__(self) -> Iterator[Hit]:
        """Go from the best to the worst."""
        return iter(self.hits)

    def __len__(self) -> int:
        """Count the hits."""
        return len(self.hits)

    def __repr__(self) -> str:
        """Say how many there are, how they were weighed, and which are the best."""
        weights = ", ".join(f"{name} {weight:g}" for name, weight in self.weights.items())
        best = [f"  {rank}. {hit!r}" for rank, hit in enumerate(self.hits[:_SHOWN], 1)]
        more = [f"  ... and {len(self) - _SHOWN} more"] * (len(self) > _SHOWN)
        about = f"Results({len(self)} of {self.candidates} items, weights: {weights})"
        return "\n".join([about, *best, *more])

    def to_json(self) -> list[dict[str, Any]]:
        """Give a list of plain dictionaries, as ``disentone search --json`` prints it."""
        return [hit.to_json() for hit in self.hits]

    def to_pandas(self) -> pandas.DataFrame:
        """Give a table: a row a hit, ``cosines.NAME`` of every facet, then the factors."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ArtifactError("A DataFrame needs pandas: pip install pandas.") from error
        rows = []
        for hit in self.hits:
            likeness = {f"cosines.{name}": cosine for name, cosine in hit.cosines.items()}
            place = {"recording": hit.recording, "start": hit.start, "end": hit.end}
            row = {"id": hit.id, "path": hit.path, "score": hit.score} | likeness
            rows.append(row | place | hit.factors)
        return pd.DataFrame(rows)
