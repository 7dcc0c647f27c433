"""How large and deep a YAML file may be: what a recipe needs, and no bomb."""

from __future__ import annotations

import yaml

__all__ = ["MOST_BYTES", "check_bounds"]

MOST_BYTES = 2**18  # complete recipes with a dozen facets have a fiftieth
MOST_DEPTH = 20
MOST_NODES = 20_000  # with every alias written out


def check_bounds(text: str) -> None:
    """Refuse YAML that no recipe needs, before anything is made of it.

    Aliases count as what they stand for: a few lines of them can stand for billions of nodes.

    Raises
    ------
    ValueError
        If it is too long, too deep or too large, or contains itself.
    yaml.YAMLError
        If it is not valid.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"it is longer than {MOST_BYTES:,} characters")
    anchored: dict[str, int] = {}  # nodes below each anchor
    open_: list[tuple[str | None, int]] = []  # collections around: anchor, nodes before them
    nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, nodes))
            nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                anchored[anchor] = nodes - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_):
                raise ValueError(f"'*{event.anchor}' contains itself")
            nodes += anchored.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.anchor is not None:
                anchored[event.anchor] = 1
        if len(open_) > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} levels deep")
        if nodes > MOST_NODES:
            raise ValueError(f"it has more than {MOST_NODES:,} values, aliases written out")
