"""docs/speed.md out of the records of the benchmarks: a table for each kind of work."""

import math
import textwrap

HEAD = """# How fast it is

Written by `make bench`; no other page has figures of speed. {machines}

Each line stands beside a peer (another library, or a target) and beside the machine's own limit,
where it was measured: in the same run, in turns, the best of several times.

- *times the peer* is above 1 where ours is better, whatever the unit.
- *of the limit* is 100 % where nothing is lost.
- Lines with *AVX2* ran under caps that hide what newer processors have, as on most laptops and
  servers in use: {caps}.
- A line without a number of threads ran on one.
"""
COLUMNS = ("", "size", "caps", "ours", "peer", "times the peer", "limit", "of the limit")
SMALLER = ("s", "ms", "us", "MiB", "GiB", "CPU-s", "CPU-seconds")  # is better
LARGER = ("", "x", "share", "clips/s", "GFLOP/s", "1/s", "probes/CPU-s")


def page(sections, *, caps):
    """Write the page of (title, about, records) sections."""
    records = [record for _, _, part in sections for record in part]
    words = ", ".join(f"`{name}={value}`" for name, value in caps.items())
    parts = [HEAD.format(machines=machines(records), caps=words)]
    for title, about, part in sections:
        parts.append(f"## {title}\n\n{about}\n")
        parts.append(section(part) if part else "Not measured yet.\n")
    return "\n".join(folded(line) for line in "\n".join(parts).split("\n"))


def folded(line):
    """Fold a line of text that is too long to read in an editor; a table's row cannot be."""
    if line.startswith("|"):
        return line
    indent = "  " if line.startswith(("- ", "  ")) else ""
    return "\n".join(textwrap.wrap(line, 118, subsequent_indent=indent, break_on_hyphens=False))


def machines(records):
    """Name the machine and the dates of the records."""
    if not records:
        return "Nothing is measured yet."
    found = {}
    for record in records:
        found.setdefault(record["machine"], set()).add(record.get("date", "earlier"))
    spans = [
        f"{machine} ({min(dates)}{f' to {max(dates)}' if len(dates) > 1 else ''})"
        for machine, dates in found.items()
    ]
    return f"Measured on {'; '.join(spans)}."


def section(records):
    """A table, and how its values grow."""
    table = [COLUMNS, ("---",) * len(COLUMNS)]
    before = None
    for key, ways in grouped(r for r in records if r["unit"] != "right").items():
        for record in ways:
            cells = line(record)
            if key == before:
                cells = ("", "", *cells[2:])
            table.append(cells)
            before = key
    rows = [f"| {' | '.join(cells)} |" for cells in table]
    powers = growth(records)
    return "\n".join(rows) + "\n" + (f"\n{powers}\n" if powers else "")


def grouped(records):
    """What differs in nothing but the caps stands together, and so do the sizes of one name."""
    records, groups = list(records), {}
    names = {record["name"]: place for place, record in reversed([*enumerate(records)])}
    for record in sorted(records, key=lambda r: (names[r["name"]], r["size"] or 0)):
        key = tuple(record.get(k) for k in ("name", "unit", "size", "threads", "peer"))
        groups.setdefault(key, []).append(record)
    return {
        key: sorted(ways, key=lambda r: r.get("caps", "none") != "none")
        for key, ways in groups.items()
    }


def line(record):
    """The cells of a record."""
    size = record.get("size")
    threads = record.get("threads", 1)
    peer, limit = record.get("peer"), record.get("limit")
    return (
        record["name"] + (f", {threads} threads" if threads > 1 else ""),
        "" if size is None else f"{size:,} {record['size_unit']}",
        record.get("caps", "none"),
        f"{number(record['value'])} {record['unit']}".strip(),
        "" if peer is None else f"{peer}: {number(record['peer_value'])}",
        "" if peer is None else number(better(record, record["peer_value"])),
        "" if limit is None else f"{limit}: {number(record['limit_value'])}",
        "" if limit is None else f"{100 * better(record, record['limit_value']):.0f} %",
    )


def better(record, other):
    """How many times as good ours is as another value, in a unit of which less may be better."""
    ours = record["value"]
    top, bottom = (other, ours) if smaller_is_better(record["unit"]) else (ours, other)
    return top / bottom if bottom else math.inf


def smaller_is_better(unit):
    word = unit.partition(" ")[0]
    if word not in SMALLER + LARGER:
        raise ValueError(f"Is less or more of '{unit}' better? Add it to SMALLER or LARGER.")
    return word in SMALLER


def number(value):
    """Three digits, without an exponent."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def growth(records):
    """Give the power of the size with which each value grows, over all sizes."""
    found = {}
    for record in records:
        if record.get("size") and record["caps"] == "none":
            name = f"{record['name']} ({record['unit']})"
            found.setdefault((name, record["threads"]), {})[record["size"]] = record["value"]
    powers = []
    for (name, threads), values in found.items():
        least, most = min(values), max(values)
        if least < most and values[least] > 0 and values[most] > 0:
            power = math.log(values[most] / values[least]) / math.log(most / least)
            more = f", {threads} threads" if threads > 1 else ""
            powers.append(f"{name}{more} {power:.2f}")
    return f"Growth, as a power of the size: {'; '.join(powers)}." if powers else ""
