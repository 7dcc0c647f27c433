"""An inspection in words and tables for people, no wider than 100 columns."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table

from disentone.datasets.inspection.commands import (
    TOO_FEW,
    open_command,
    proposal_command,
    train_command,
)
from disentone.datasets.inspection.inspecting import Inspection
from disentone.datasets.inspection.known import Crossing, FactorSummary
from disentone.datasets.inspection.possible import PossibleRelation

__all__ = ["text"]

_WIDTH = 100
_NAMED = 3  # how many of a kind are named; the JSON file has them all
_PAIRS = 12  # crossings with empty cells that are listed
_MAPS = 3  # crossings that are drawn cell by cell
_REASONS = 8  # to leave files out that are listed
_OFFSET = 0.01  # of full scale, from which a constant offset is reported


def text(inspection: Inspection) -> str:
    """Describe for people what is in a collection.

    Parameters
    ----------
    inspection : Inspection

    Returns
    -------
    str
        Lines of at most 100 columns, except where a name in a command is longer.
    """
    page = _Page()
    page.line(_headline(inspection), indent=0)
    page.section("To look at first", findings(inspection) or ["Nothing is wrong with the files."])
    page.section("Splits", [_splits(inspection)])
    page.section("Sound", [_sound(inspection)])
    page.section("Factors", _factors(inspection))
    page.section("Crossings", _crossings(inspection))
    train = inspection.relations[0].of
    page.section(
        f"Relations: which of {_count(train, 'clip')} in train have a partner",
        _relations(inspection),
    )
    return page.text() + _commands(inspection)


def findings(inspection: Inspection) -> list[str]:
    """Give one sentence for everything that should be repaired or known before training."""
    files, found = inspection.files, []
    reasons = defaultdict(list)
    for skipped in inspection.skipped:
        reasons[skipped.reason].append(skipped.path)
    for reason, paths in list(reasons.items())[:_REASONS]:
        found.append(f"Left out, {len(paths):,}: {_some(paths)}. {reason}")
    if len(reasons) > _REASONS:
        found.append(
            f"Left out for {len(reasons) - _REASONS} other reasons: --json FILE lists them."
        )
    clipped = sorted((one for one in files if one.clipped), key=lambda one: -one.clipped)
    if clipped:
        worst = [f"{one.path} ({one.clipped:.2%} of samples)" for one in clipped]
        found.append(f"Clipped, {_count(clipped, 'file')}: {_some(worst)}.")
    offset = sorted(
        (f for f in files if f.usable and abs(f.offset) > _OFFSET), key=lambda one: -abs(one.offset)
    )
    if offset:
        worst = [f"{one.path} ({one.offset:+.1%} of full scale)" for one in offset]
        found.append(f"Constant offset (DC), {_count(offset, 'file')}: {_some(worst)}.")
    for same in (True, False):
        groups = [group for group in inspection.duplicates if group.same_bytes is same]
        if groups:
            what = "Identical files" if same else "Files of other bytes with identical audio"
            shown = _some([" = ".join(group.paths) for group in groups])
            found.append(f"{what}, {_count(groups, 'group')}: {shown}.")
    for leaks, what in (
        ({g.paths[0]: g.splits for g in inspection.duplicates if len(g.splits) > 1}, "same audio"),
        (inspection.leaks, "same recording"),
    ):
        if leaks:
            shown = _some([f"{name} ({', '.join(splits)})" for name, splits in leaks.items()])
            found.append(
                f"Leak: the {what} in several splits, {_count(len(leaks), 'case')}: {shown}. "
                "Scores on valid and test would be too high."
            )
    unseen = {one.name: values for one in inspection.factors if (values := one.absent.get("train"))}
    if unseen:
        shown = [f"{name} {len(values)} ({_some(values)})" for name, values in unseen.items()]
        found.append(f"Values that no clip in train has: {_some(shown, 6)}.")
    return found


class _Page:
    """Lines and tables under headings, as plain text."""

    def __init__(self) -> None:
        self._console = Console(
            file=io.StringIO(), width=_WIDTH, color_system=None, markup=False, highlight=False,
            emoji=False, force_terminal=False,
        )  # fmt: skip

    def line(self, item: RenderableType, *, indent: int = 2) -> None:
        self._console.print(Padding(item, (0, 0, 0, indent), expand=False))

    def section(self, title: str, items: Iterable[RenderableType]) -> None:
        items = list(items)
        if items:
            self._console.print()
            self.line(title, indent=0)
        for item in items:
            self.line(item)

    def text(self) -> str:
        written = self._console.file
        assert isinstance(written, io.StringIO)
        return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def _table(rows: Iterable[Sequence[str]], *, head: Sequence[str] = (), right: str = "") -> Table:
    """Align rows; ``right`` has an ``r`` for every column of numbers."""
    rows = [tuple(row) for row in rows]
    table = Table(box=None, show_header=bool(head), pad_edge=False, padding=(0, 2, 0, 0))
    for column in range(max(map(len, [*rows, head]))):
        table.add_column(
            head[column] if head else "",
            justify="right" if right[column : column + 1] == "r" else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    return table


def _headline(inspection: Inspection) -> str:
    clips = sum(split.clips for split in inspection.splits)
    seconds = sum(split.seconds for split in inspection.splits)
    whole = sum(one.seconds for one in inspection.files)
    out = f"; {len(inspection.skipped):,} left out" if inspection.skipped else ""
    return (
        f"{inspection.config.path}: {_count(clips, 'clip')} ({_time(seconds)}) from "
        f"{_count(inspection.files, 'file')} ({_time(whole)}){out}"
    )


def _splits(inspection: Inspection) -> Table:
    rows = [
        (s.name, f"{s.clips:,}", f"{s.recordings:,}", _time(s.seconds)) for s in inspection.splits
    ]
    return _table(rows, head=("", "clips", "recordings", "time"), right="lrrr")


def _sound(inspection: Inspection) -> Table:
    files = inspection.files
    formats = Counter((one.sample_rate, one.channels) for one in files).most_common()
    shown = [
        f"{rate:,} Hz {_channels(channels)}"
        + (f": {_count(n, 'file')}" if len(formats) > 1 else "")
        for (rate, channels), n in formats
    ]
    rows = [("format", _some(shown, 6))]
    rows.append(("file length", _spread([one.seconds for one in files], "s")))
    audible = [one for one in files if one.usable]
    if audible:
        rows.append(("level (RMS)", _spread([_db(one.rms) for one in audible], "dBFS", digits=1)))
        rows.append(("peak", _spread([_db(one.peak) for one in audible], "dBFS", digits=1)))
    return _table(rows)


def _factors(inspection: Inspection) -> Iterator[RenderableType]:
    head = ("factor", "kind", "values", "unknown", "most clips", "valid, test lack")
    rows = [
        (
            factor.name,
            factor.kind,
            f"{len(factor.counts):,}" if factor.counts else "",
            f"{factor.unknown:,}" if factor.unknown else "",
            _values(factor),
            ", ".join(str(len(factor.absent.get(split, ()))) for split in ("valid", "test"))
            if factor.counts
            else "",
        )
        for factor in inspection.factors
    ]
    if not rows:
        yield "There are none: name sub-folders, or give --pattern or a table."
        yield from inspection.notes
        return
    yield _table(rows, head=head, right="llrrlr")
    yield from (
        note for note in inspection.notes if not note.startswith("Guessed:")
    )  # in the table
    same, seen = [], set()
    for one, others in inspection.decided.items():
        twins = [other for other in others if one in inspection.decided.get(other, ())]
        if twins and one not in seen:
            same.append(f"{' and '.join([one, *twins])} are equivalent.")
            seen.update(twins)
        rest = [other for other in others if other not in twins]
        if rest and one not in seen:
            same.append(f"{one} determines {', '.join(rest)}.")
    yield from same


def _values(factor: FactorSummary) -> str:
    if factor.kind == "continuous" and factor.extent:
        low, middle, high = factor.extent
        near = f", equal within {factor.tolerance:g}" if factor.tolerance is not None else ""
        return f"{low:g} to {high:g}, middle {middle:g}{near}"
    return _some([f"{value} {count:,}" for value, count in factor.counts.items()], 4)


def _crossings(inspection: Inspection) -> Iterator[RenderableType]:
    full = [" x ".join(c.factors) for c in inspection.crossings if c.exist == c.possible]
    gaps = [crossing for crossing in inspection.crossings if crossing.exist < crossing.possible]
    if gaps:
        rows = [
            (
                " x ".join(crossing.factors),
                f"{crossing.exist:,} of {crossing.possible:,}",
                f"{crossing.exist / crossing.possible:.0%}",
                _emptiest(crossing),
            )
            for crossing in gaps[:_PAIRS]
        ]
        yield _table(rows, head=("factors", "cells with clips", "", "emptiest"), right="lrrl")
    if len(gaps) > _PAIRS:
        yield f"... and {len(gaps) - _PAIRS} more pairs with empty cells."
    if full:
        yield f"Without empty cells, {_count(full, 'pair')}: {_some(full, 6)}."
    drawn = [crossing for crossing in gaps if _fits(crossing)][:_MAPS]
    if drawn:
        yield "\nClips in each cell: . none, 1 to 9, + ten or more"
    for crossing in drawn:
        yield from _map(crossing)


def _emptiest(crossing: Crossing) -> str:
    name, value = crossing.emptiest
    cells = crossing.cells
    row = cells[value] if name == crossing.factors[0] else {r: cells[r][value] for r in cells}
    return f"{name} {value}: {sum(map(bool, row.values()))} of {len(row)}"


def _fits(crossing: Crossing) -> bool:
    rows, columns = sorted((len(crossing.cells), len(next(iter(crossing.cells.values())))))
    return rows <= 24 and columns <= 72


def _map(crossing: Crossing) -> Iterator[RenderableType]:
    """Draw the cells, one character each, with the factor of fewer values downwards."""
    (down, across), cells = crossing.factors, crossing.cells
    names = list(next(iter(cells.values())))
    if len(cells) > len(names):
        down, across = across, down
        cells = {name: {row: cells[row][name] for row in cells} for name in names}
        names = list(next(iter(cells.values())))
    yield f"{down} x {across} from {names[0]} to {names[-1]}"
    rows = [
        (name[:24], "".join("." if not n else "+" if n > 9 else str(n) for n in row.values()))
        for name, row in cells.items()
    ]
    yield _table(rows)


def _relations(inspection: Inspection) -> Iterator[RenderableType]:
    rows = []
    for same, group in groupby(inspection.relations, key=lambda relation: relation.same):
        alone, *pairs = group
        pairs.sort(key=lambda pair: -pair.clips)
        apart = _some([f"{pair.differ} {_clips(pair)}" for pair in pairs], 4) if pairs else ""
        if not alone.clips:
            apart = alone.reason if same != "recording" else "each clip is its own recording"
        rows.append((f"same={same}", _clips(alone), apart))
    yield _table(rows, head=("relation", "clips", "if they also differ in"), right="lrl")
    if inspection.relations[0].share < 0.5 and inspection.config.segment is None:
        yield "With --segment SECONDS, segments of a file are views of each other: same=recording."


def _commands(inspection: Inspection) -> str:
    """Give commands to copy: what shows these sounds, and what learns from them."""
    config = inspection.config
    parts = [f"To hear and see it, without training\n  {open_command(config)}"]
    if inspection.facets:
        parts.append(f"To begin with\n  {train_command(config, inspection.facets)}")
    elif inspection.proposals:
        first = inspection.proposals[0]
        parts.append(
            f"To begin with, without labels: {first.agree} agree, so the facet encodes\n"
            f"{first.encodes}\n  {proposal_command(config, first)}"
        )
    else:
        parts.append(TOO_FEW)
    return "".join(f"\n\n{part}" for part in parts)


def _clips(relation: PossibleRelation) -> str:
    if not relation.clips:
        return "none"
    return "all" if relation.clips == relation.of else f"{relation.clips:,}"


def _some(names: Sequence[str], most: int = _NAMED) -> str:
    """Name the first few, and count the others."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _count(things: int | Sequence[object], word: str) -> str:
    number = things if isinstance(things, int) else len(things)
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _channels(count: int) -> str:
    return {1: "mono", 2: "stereo"}.get(count, f"{count} channels")


def _time(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.3g} s"


def _db(amplitude: float) -> float:
    return float(20 * np.log10(max(amplitude, 1e-10)))


def _spread(values: Sequence[float], unit: str, *, digits: int | None = None) -> str:
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    texts = [f"{v:.3g}" if digits is None else f"{v:.{digits}f}" for v in (low, middle, high)]
    if texts[0] == texts[2]:
        return f"{texts[0]} {unit}"
    return f"{texts[0]} to {texts[2]} {unit}, middle {texts[1]}"
