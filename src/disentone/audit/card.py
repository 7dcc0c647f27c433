"""The audit card: every number of an audit as flat records, on disk as ``audit.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from disentone.audit.outcomes import Outcomes
from disentone.errors import ArtifactError, DataError, closest
from disentone.facets import Facets
from disentone.files import write_json

__all__ = ["ALL", "R2", "SCHEMA", "Card", "outcomes_beside"]

ALL = "all"  # the whole embedding, beside its facets
R2 = "r2"  # the metric of a continuous factor that is predicted as a number
SCHEMA = 2
READABLE = (1, 2)  # of 1 the measures, notes and outcomes are missing
SENTENCES = 3
MENTIONED = 4  # factors in a sentence


@dataclass(frozen=True)
class Card:
    """The results of an audit.

    Parameters
    ----------
    facets : Facets
        Partition of the audited embedding.
    factors : mapping of str to mapping
        For every factor its ``"kind"``, ``"classes"`` (readable names), ``"unit"``,
        ``"tolerance"`` and ``"entropy"`` (of the test clips, in nats).
    records : tuple of dict
        One number each: ``measure``, ``facet`` (a facet, ``"all"``, or one dimension of a facet as
        ``"shared[3]"``), ``factor``, ``metric``, ``value``, ``low`` and ``high`` (95 % interval),
        ``chance`` (what no information would give), ``n`` (clips scored) and ``split``. Numbers
        that do not exist are None. Probes also carry ``train`` (training clips) and ``seeds``;
        ``dsc_delta`` carries ``other`` (the facet compared with) and ``seeds``; dimensions carry
        ``dimension``, ``p`` and ``null`` (95 % quantile of permutations), as facets' information
        does. Measures carry what decides them: ``predictor``, ``bins``, ``interval`` and, of
        published variants, ``variant`` and a ``note`` on the difference.
    run : str
        What was audited.
    schema : int
    notes : tuple of str
        What could not be measured, and why.
    outcomes : Outcomes, optional
        The result of every test clip; kept beside the card, as ``NAME-outcomes.npz``.
    """

    facets: Facets
    factors: Mapping[str, Mapping[str, Any]]
    records: tuple[dict[str, Any], ...]
    run: str = ""
    schema: int = SCHEMA
    notes: tuple[str, ...] = ()
    outcomes: Outcomes | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        """Show what was audited, and how much is recorded."""
        run = f"'{self.run}', " if self.run else ""
        factors = ", ".join(self.factors) or "none"
        return (
            f"Card({run}facets: {self.facets.describe()}, factors: {factors}, "
            f"{len(self.records)} records)"
        )

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON data; what is not a finite number becomes None."""
        return {
            "schema": self.schema,
            "run": self.run,
            "facets": self.facets.to_json(),
            "factors": {name: _plain(about) for name, about in self.factors.items()},
            "notes": list(self.notes),
            "records": [_plain(record) for record in self.records],
        }

    @classmethod
    def from_json(cls, data: Any) -> Card:
        """Rebuild a card from what :meth:`to_json` gave.

        Raises
        ------
        ArtifactError
            If the data is not a card, or of another schema.
        """
        if not isinstance(data, dict) or "schema" not in data:
            raise ArtifactError("This is not an audit card: it has no 'schema'.")
        if data["schema"] not in READABLE:
            raise ArtifactError(
                f"This audit card has schema {data['schema']!r}, but this version of disentone "
                f"reads {_listed([str(known) for known in READABLE])}: audit again, or use the "
                "version that wrote it."
            )
        try:
            facets = Facets.from_json(data["facets"])
            records = tuple(dict(record) for record in data["records"])
            notes = tuple(str(note) for note in data.get("notes", ()))
            factors, schema = dict(data["factors"]), data["schema"]
            return cls(facets, factors, records, str(data["run"]), schema, notes)
        except (KeyError, TypeError, ValueError, AttributeError, DataError) as error:
            raise ArtifactError(f"This audit card is damaged: {error}.") from error

    def save(self, path: str | Path) -> None:
        """Write ``audit.json``, and the outcomes beside it, each atomically.

        Raises
        ------
        ArtifactError
            If it cannot be written; an old file stays as it was.
        """
        beside = outcomes_beside(path)
        if self.outcomes is None:
            beside.unlink(missing_ok=True)  # of an earlier card
        else:
            self.outcomes.save(beside)
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Card:
        """Read a card that :meth:`save` wrote, with its outcomes where they are beside it.

        Raises
        ------
        ArtifactError
            If the file is missing, not JSON, not a card, or of another schema.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ArtifactError(f"{path} could not be read ({error.strerror}).") from error
        except ValueError as error:
            raise ArtifactError(f"{path} is not JSON: {error}.") from error
        try:
            beside = outcomes_beside(path)
            outcomes = Outcomes.load(beside) if beside.is_file() else None
            return replace(cls.from_json(data), outcomes=outcomes)
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error}") from error

    def value(self, measure: str, facet: str, factor: str, metric: str | None = None) -> float:
        """Give one number; without a metric the measure's main one, which is recorded first.

        Returns
        -------
        float
            NaN where the audit could not compute it.

        Raises
        ------
        DataError
            If there is no such record.
        """
        return _number(self.record(measure, facet, factor, metric)["value"])

    def record(
        self, measure: str, facet: str, factor: str, metric: str | None = None
    ) -> dict[str, Any]:
        """Give one whole record; see :meth:`value`."""
        left = self.records
        asked = {"measure": measure, "facet": facet, "factor": factor}
        for key, wanted in (asked if metric is None else asked | {"metric": metric}).items():
            known = dict.fromkeys(str(record[key]) for record in left)
            left = tuple(record for record in left if record[key] == wanted)
            if not left:
                raise DataError(f"The card has no {key} '{wanted}'{closest(wanted, known)}")
        return left[0]

    def table(self, measure: str, metric: str | None = None) -> dict[str, dict[str, float]]:
        """Values of a measure as ``{facet: {factor: value}}``, dimensions among the facets.

        ``pandas.DataFrame(card.table("probe")).T`` is the paper's table.

        Parameters
        ----------
        measure : str
        metric : str, optional
            By default the main metric of each factor.
        """
        rows: dict[str, dict[str, float]] = {}
        for record in self.records:
            if record["measure"] == measure and metric in (None, record["metric"]):
                row = rows.setdefault(record["facet"], {})
                row.setdefault(record["factor"], _number(record["value"]))
        return rows

    def verdict(self) -> str:
        """Describe in at most three sentences what the facets predict and what they leak.

        A facet that owns factors is judged by them; of more than three facets, those that leak
        most are named.
        """
        facets = sorted(self.facets, key=self._worst_leak, reverse=True)[:SENTENCES]
        sentences = [self.sentence(name) for name in self.facets if name in facets]
        if 1 < len(self.facets) < SENTENCES:
            sentences.append(self.sentence(ALL))
        return " ".join(sentence for sentence in sentences if sentence)

    def _main(self, measure: str, facet: str) -> dict[str, dict[str, Any]]:
        """Records of the main metric, by factor."""
        found: dict[str, dict[str, Any]] = {}
        for record in self.records:
            if record["measure"] == measure and record["facet"] == facet:
                found.setdefault(record["factor"], record)
        return found

    def _numbers(self, facet: str) -> dict[str, dict[str, Any]]:
        """Records of how well continuous factors are predicted as numbers, by factor."""
        return {
            record["factor"]: record
            for record in self.records
            if record["measure"] == "probe"
            and record["facet"] == facet
            and record.get("metric") == R2
            and math.isfinite(_number(record["value"]))
        }

    def _worst_leak(self, facet: str) -> float:
        leaks = self._main("leak", facet).values()
        return max((_number(leak["value"]) for leak in leaks), default=-math.inf)

    def sentence(self, facet: str) -> str:
        """Describe what one facet, or ``"all"``, predicts and leaks; "" where nothing is known."""
        leaks = self._main("leak", facet)
        probes = self._main("probe", facet) | self._numbers(facet)
        own = {
            f: one
            for f, one in probes.items()
            if f not in leaks and math.isfinite(_number(one["value"]))
        }
        sure = {f: probe for f, probe in own.items() if _above_chance(probe)}
        predicted = [_predicted(probe) for probe in sure.values()]
        unclear = [factor for factor in own if factor not in sure]
        leaked = [
            f"{factor} at {leak['value']:.2f} above chance"
            for factor, leak in leaks.items()
            if _number(leak["low"]) > 0
        ]
        parts = [f"predicts {_listed(_some(predicted))}"] if predicted else []
        if unclear:
            parts.append(f"does not clearly predict {_listed(_some(unclear))}")
        if leaked:
            parts.append(f"leaks {_listed(leaked)}")
        elif leaks:
            parts.append("shows no leak above chance")
        subject = "The whole embedding" if facet == ALL else f"The {facet} facet"
        return f"{subject} {' and '.join(parts)}." if parts else ""


def _predicted(record: Mapping[str, Any]) -> str:
    """What is predicted, and how well."""
    factor, value = record["factor"], _number(record["value"])
    if record.get("metric") == R2:
        return f"{factor} (R2 {value:.2f})"
    return f"{factor} at {value:.2f} (chance {_number(record.get('chance')):.2f})"


def _above_chance(record: Mapping[str, Any]) -> bool:
    low, chance = _number(record.get("low")), _number(record.get("chance"))
    return not low <= chance  # without an interval it counts as above


def _some(parts: list[str]) -> list[str]:
    """At most four of many."""
    if len(parts) <= MENTIONED + 1:
        return parts
    return [*parts[:MENTIONED], f"{len(parts) - MENTIONED} more"]


def outcomes_beside(path: str | Path) -> Path:
    """Give where the outcomes of a card's file are."""
    path = Path(path)
    return path.with_name(f"{path.stem}-outcomes.npz")


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _finite(value) for key, value in data.items()}


def _finite(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
