"""What a browser saves of items: a playlist or a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from starlette.responses import Response

from disentone.errors import DataError
from disentone.search.exporting import playlist, table

__all__ = ["saved"]


def saved(
    rows: Sequence[Mapping[str, Any]], kind: Literal["m3u8", "csv"], *, local: bool
) -> Response:
    """Answer with items as a file to be saved.

    Parameters
    ----------
    rows : sequence of mapping
        See :func:`disentone.search.exporting.export`.
    kind : {"m3u8", "csv"}
    local : bool
        Whether who asks is on this machine, and may see where files lie.

    Raises
    ------
    DataError
        If there is nothing to save, or a playlist is asked for from another machine.
    """
    if not rows:
        raise DataError("Nothing was found that could be exported.")
    if kind == "m3u8" and not local:
        raise DataError(
            "A playlist names files of the machine that serves, and this is another one: export a "
            "table, or download the sounds."
        )
    if not local:
        names = ("path", "recording")
        rows = [{**row, **{n: os.path.basename(row[n] or "") for n in names}} for row in rows]
    text, media = (table(rows), "text/csv") if kind == "csv" else (playlist(rows), "audio/mpegurl")
    named = {"Content-Disposition": f'attachment; filename="sounds.{kind}"'}
    return Response(text, media_type=media, headers=named)
