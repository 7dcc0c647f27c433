"""The HTTP API, version 1."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from disentone import __version__
from disentone.errors import DataError
from disentone.serve import schemas
from disentone.serve.describing import item_of, result_of
from disentone.serve.served import Served
from disentone.serve.uploads import Uploads

__all__ = ["router"]

_SEARCHES = 4  # at once; each needs room for the scores of all items, and a core
_PATIENCE = 120  # seconds that an upload may take to arrive and be decoded

Id = Annotated[str, Query(min_length=1, max_length=1000)]


def router(served: Served) -> APIRouter:
    """Give the routes that answer from one index."""
    api = APIRouter(prefix="/api/v1", responses={"default": {"model": schemas.Problem}})

    @api.get("/health", tags=["server"])
    def health() -> schemas.Health:
        """Give the server's state."""
        return schemas.Health(version=__version__, items=len(served.index))

    @api.get("/collection", tags=["items"])
    def collection() -> schemas.CollectionInfo:
        """Give facets, factors, examples and limits."""
        return served.collection()

    @api.get("/items", tags=["items"])
    def items(
        where: schemas.Where = None,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> schemas.Items:
        """List items that pass a filter."""
        return served.items(where, offset, limit)

    @api.get("/item", tags=["items"])
    def item(id: Id) -> schemas.Item:
        """Give one item."""
        return item_of(served.row(id))

    @api.get("/audio", tags=["sounds"], response_class=FileResponse)
    def audio(id: Id) -> FileResponse:
        """Give an item's sound, whole or by ranges."""
        path, kind = served.sound(id)
        return FileResponse(path, media_type=kind)

    @api.get("/peaks", tags=["sounds"])
    def peaks(id: Id) -> schemas.Peaks:
        """Give an item's outline."""
        return served.peaks(id)

    @api.get("/map/points", tags=["map"])
    def points() -> schemas.Points:
        """Give the items of the maps, and their factors."""
        return served.points()

    @api.get("/map", tags=["map"])
    def layout(facet: Id) -> schemas.Layout:
        """Give the places of these items on the map of one facet."""
        return served.layout(facet)

    searching = anyio.CapacityLimiter(_SEARCHES)

    @api.post("/search", tags=["search"])
    async def search(wanted: schemas.Search) -> schemas.SearchResults:
        """Find the items that are most like a query; the same query with other weights is fast."""
        return await anyio.to_thread.run_sync(_found, served, wanted, limiter=searching)

    @api.post("/uploads", tags=["search"], openapi_extra=_RAW_BODY)
    async def upload(
        request: Request, name: Annotated[str, Query(max_length=1000)] = "sound"
    ) -> schemas.Upload:
        """Send a sound, as the request's body, to search with."""
        async with asyncio.timeout(_PATIENCE):
            sent = await _uploads(served).take(request.stream(), name)
        return schemas.Upload(
            upload=sent.upload, name=sent.name, seconds=sent.seconds, peaks=sent.peaks
        )

    @api.get("/uploads/audio", tags=["search"], response_class=FileResponse)
    def upload_audio(upload: Id) -> FileResponse:
        """Give back the sound of an upload, whole or by ranges."""
        return FileResponse(_uploads(served).find(upload).file, media_type="audio/wav")

    return api


_RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _found(served: Served, wanted: schemas.Search) -> schemas.SearchResults:
    begin = time.perf_counter()
    found = served.open_query(wanted.query).rank(
        wanted.weights,
        where=wanted.where,
        k=wanted.k,
        diversity=wanted.diversity,
        one_per_recording=wanted.one_per_recording,
    )
    served.remember(found)
    return schemas.SearchResults(
        weights=dict(found.weights),
        candidates=found.candidates,
        results=[result_of(hit) for hit in found],
        milliseconds=round(1000 * (time.perf_counter() - begin), 2),
    )


def _uploads(served: Served) -> Uploads:
    if served.uploads is None:
        raise DataError("There is no model here to embed sounds: start the server with --model.")
    return served.uploads
