"""The HTTP API, version 1."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from disentone import __version__
from disentone.errors import DataError
from disentone.search import Results
from disentone.search.copies import ALIKE
from disentone.serve import schemas
from disentone.serve.describing import item_of, result_of
from disentone.serve.lanes import Lane
from disentone.serve.saving import saved
from disentone.serve.served import Served
from disentone.serve.uploads import Uploads

__all__ = ["router"]

Id = Annotated[str, Query(min_length=1, max_length=1000)]


def router(served: Served) -> APIRouter:
    """Give the routes that answer from one index."""
    api = APIRouter(prefix="/api/v1", responses={"default": {"model": schemas.Problem}})
    # Work of each cost has threads of its own, and waits for its like only.
    looking = Lane(2, patience=2.0, guess=0.001)
    searching = {
        "weighing": Lane(2, patience=1.2, guess=0.002),
        "opening": Lane(2, patience=1.4, guess=0.01),
        "embedding": Lane(1, patience=10.0, guess=0.2),
    }
    listening = Lane(2, patience=5.0, guess=0.02)
    mapping = Lane(1, patience=60.0, guess=1.0)

    @api.get("/health", tags=["server"])
    async def health() -> schemas.Health:
        """Give the server's state."""
        return schemas.Health(version=__version__, items=len(served.index))

    @api.get("/collection", tags=["items"])
    async def collection() -> schemas.CollectionInfo:
        """Give facets, factors, examples and limits."""
        return await looking.run(served.collection)

    @api.get("/library", tags=["server"])
    async def library() -> schemas.Library:
        """Give the folders of the collection, and how far the index is with them."""
        return await looking.run(served.library)

    @api.get("/items", tags=["items"])
    async def items(
        where: schemas.Where = None,
        text: schemas.Text = None,
        folder: schemas.InFolder = None,
        sort: Annotated[
            str | None,
            Query(
                max_length=200,
                description="name, duration or a factor; after a - the largest comes first",
            ),
        ] = None,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> schemas.Items:
        """List items that pass a filter, have words and lie in a folder, in an order."""
        listed = {"where": where, "text": text, "folder": folder, "sort": sort}
        return await searching["opening"].run(served.items, offset, limit, **listed)

    @api.get("/folders", tags=["items"])
    async def folders(
        folder: Annotated[str, Query(max_length=1000)] = "",
    ) -> schemas.Folders:
        """List the folders in a folder, by default in the one that all files have in common."""
        return await searching["opening"].run(served.folders, folder)

    @api.get("/duplicates", tags=["items"])
    async def duplicates(
        threshold: Annotated[float, Query(gt=0.5, le=1)] = ALIKE,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> schemas.Duplicates:
        """List groups of items that are nearly the same sound; the first time may take a minute."""
        return await mapping.run(served.duplicates, threshold, offset, limit)

    @api.get("/item", tags=["items"])
    async def item(id: Id) -> schemas.Item:
        """Give one item."""
        return item_of(await looking.run(served.row, id))

    @api.get("/audio", tags=["sounds"], response_class=FileResponse)
    async def audio(id: Id) -> FileResponse:
        """Give an item's sound, whole or by ranges."""
        path, kind = await listening.run(served.sound, id)
        return FileResponse(path, media_type=kind)

    @api.get("/download", tags=["sounds"], response_class=FileResponse)
    async def download(id: Id) -> FileResponse:
        """Give an item's file as it is, under its own name; of a part of a file that part."""
        path, name = await listening.run(served.download, id)
        return FileResponse(path, filename=name, media_type="application/octet-stream")

    @api.get("/peaks", tags=["sounds"])
    async def peaks(id: Id) -> schemas.Peaks:
        """Give an item's outline."""
        return await listening.run(served.peaks, id)

    @api.get("/map/points", tags=["map"])
    async def points() -> schemas.Points:
        """Give the items of the maps, and their factors."""
        return await mapping.run(served.points)

    @api.get("/map", tags=["map"])
    async def layout(facet: Id) -> schemas.Layout:
        """Give the places of these items on the map of one facet."""
        return await mapping.run(served.layout, facet)

    @api.post("/search", tags=["search"], response_model=schemas.SearchResults)
    async def search(wanted: schemas.Search) -> Response:
        """Find the items that are most like a query; the same query with other weights is fast."""
        return await searching[served.cost(wanted)].run(_found, served, wanted)

    @api.post("/export", tags=["search"], response_class=Response)
    async def export(wanted: schemas.Export) -> Response:
        """Give items or results as a playlist or a table, to be saved."""
        rows = await searching["opening"].run(_rows, served, wanted)
        return saved(rows, wanted.format, local=served.local)

    @api.post("/uploads", tags=["search"], openapi_extra=_RAW_BODY)
    async def upload(
        request: Request, name: Annotated[str, Query(max_length=1000)] = "sound"
    ) -> schemas.Upload:
        """Send a sound, as the request's body, to search with."""
        length = request.headers.get("content-length", "")  # what is no number has been refused
        sent = await _uploads(served).take(request.stream(), name, int(length or 0))
        return schemas.Upload(
            upload=sent.upload, name=sent.name, seconds=sent.seconds, peaks=sent.peaks
        )

    @api.get("/uploads/audio", tags=["search"], response_class=FileResponse)
    async def upload_audio(upload: Id) -> FileResponse:
        """Give back the sound of an upload, whole or by ranges."""
        return FileResponse(_uploads(served).find(upload).file, media_type="audio/wav")

    return api


_RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _ranked(served: Served, wanted: schemas.Search) -> Results:
    return served.open_query(wanted.query).rank(
        wanted.weights,
        where=wanted.where,
        text=wanted.text,
        folder=wanted.folder,
        k=wanted.k,
        diversity=wanted.diversity,
        one_per_recording=wanted.one_per_recording,
        fold=wanted.fold,
    )


def _rows(served: Served, wanted: schemas.Export) -> list[dict[str, Any]]:
    """What is exported: items, or what a search finds."""
    if wanted.search is None:
        return [served.row(item) for item in wanted.ids]
    return _ranked(served, wanted.search).to_json()


def _found(served: Served, wanted: schemas.Search) -> Response:
    """Search, and write the answer, in one thread: the one that answers all has enough to do."""
    begin = time.perf_counter()
    found = _ranked(served, wanted)
    served.remember(found)
    results = schemas.SearchResults(
        weights=dict(found.weights),
        candidates=found.candidates,
        results=[result_of(hit) for hit in found],
        milliseconds=round(1000 * (time.perf_counter() - begin), 2),
    )
    return Response(results.model_dump_json(), media_type="application/json")


def _uploads(served: Served) -> Uploads:
    if served.uploads is None:
        raise DataError(
            "There is no model here to embed sounds: start the server with the model of the index."
        )
    return served.uploads
