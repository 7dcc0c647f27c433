"""Requests and responses of the API, version 1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from disentone.search.copies import ALIKE

__all__ = [
    "CollectionInfo",
    "Duplicates",
    "Example",
    "Export",
    "FactorInfo",
    "Failure",
    "FolderInfo",
    "Folders",
    "Group",
    "Health",
    "InFolder",
    "Item",
    "Items",
    "Layout",
    "Library",
    "Peaks",
    "Points",
    "Problem",
    "Query",
    "Search",
    "SearchResult",
    "SearchResults",
    "Text",
    "Upload",
]

Identifier = Annotated[str, Field(min_length=1, max_length=1000)]
Where = Annotated[
    str | None,
    Field(max_length=2000, description="filter on factors: split = 'test' and tempo > 120"),
]
Text = Annotated[
    str | None,
    Field(
        max_length=200,
        description="words of names, folders and factors, or their beginnings; accents and case "
        "do not matter",
    ),
]
InFolder = Annotated[
    str | None,
    Field(max_length=1000, description="only what lies in or below it, as /folders says"),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Problem(_Model):
    """An error."""

    status: int
    error: str = Field(description="one sentence that says what to do")


class Health(_Model):
    """State of the server, and what it serves."""

    status: Literal["ok"] = "ok"
    version: str
    items: int


class FactorInfo(_Model):
    """A factor that results show, filters use and maps are coloured by."""

    name: str
    kind: Literal["classes", "number", "text"]
    classes: list[str] = Field(default=[], description="of a factor of classes, in order")
    low: float | None = Field(default=None, description="smallest number")
    high: float | None = Field(default=None, description="largest number")


class Item(_Model):
    """A sound of the collection."""

    id: str
    name: str = Field(description="short, for people")
    file: str = Field(description="name of the file, with its extension")
    recording: str
    seconds: float | None = Field(description="length, where it is known")
    factors: dict[str, Any]


class Items(_Model):
    """Some of the items, and how many there are."""

    total: int
    items: list[Item]


class FolderInfo(_Model):
    """A folder of the collection."""

    folder: str = Field(description="from the folder that all files have in common on, with /")
    items: int = Field(description="in it and below")


class Folders(_Model):
    """The folders in a folder, by name."""

    folder: str
    folders: list[FolderInfo]


class Group(_Model):
    """Items that are nearly the same sound."""

    likeness: float = Field(description="least mean cosine of the others with the first")
    items: list[Item]


class Duplicates(_Model):
    """Some of the groups of items that are nearly the same sound, and how many there are."""

    threshold: float = Field(description="mean cosine over all facets from which on they are")
    total: int
    groups: list[Group]


class CollectionInfo(_Model):
    """Facets, factors and limits, for a client to begin with."""

    name: str
    items: int
    facets: dict[str, int] = Field(description="dimensions of each facet, in order")
    predicts: dict[str, str] = Field(
        description="a sentence on what each facet predicts and leaks, by the audit of the model"
    )
    factors: list[FactorInfo]
    examples: list[Item] = Field(description="items to begin with")
    uploads: bool = Field(description="whether the model is there to embed uploads")
    upload_bytes: int
    upload_seconds: float


class Failure(_Model):
    """A file, or another thing, that is not in the index."""

    path: str
    reason: str


class Library(_Model):
    """The folders of the collection, and how far the index is with them."""

    state: Literal["indexing", "current", "failed"] = Field(
        description="current: all that was found has been looked at"
    )
    folders: list[str] = Field(description="where they are on the server's machine")
    watching: bool = Field(description="whether changes of the folders are taken over as they come")
    found: int = Field(description="sounds that were found by their names")
    counted: bool = Field(description="whether that is all of them")
    done: int = Field(description="sounds that were looked at")
    failed: int = Field(description="of which so many cannot be used")
    failures: list[Failure] = Field(description="some of those")
    seconds_left: float | None = Field(default=None, description="where that can be judged")
    error: str | None = Field(default=None, description="why indexing ended too early")
    items: int = Field(default=0, description="sounds that can be searched now")
    version: int = Field(default=0, description="another number when these, or factors, changed")


class Example(_Model):
    """A sound that a query is made of: an item of the index, or an upload, or a part of one."""

    item: Identifier | None = None
    upload: Identifier | None = None
    start: float | None = Field(default=None, ge=0, description="seconds, of an upload")
    end: float | None = Field(default=None, gt=0, description="seconds, of an upload")
    facets: list[Identifier] | None = Field(
        default=None, max_length=64, description="for a mix: the facets that this one gives"
    )


class Query(_Model):
    """Examples of what is searched for."""

    examples: list[Example] = Field(min_length=1, max_length=64)
    away: list[Example] = Field(default=[], max_length=64, description="sounds to stay away from")


class Search(_Model):
    """A query, how much each facet matters, and which results to give."""

    query: Query
    weights: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        default=None, max_length=256, description="by facet; inferred from the examples by default"
    )
    where: Where = None
    text: Text = None
    folder: InFolder = None
    k: int = Field(default=20, ge=1, le=200)
    diversity: float = Field(default=0.0, ge=0, le=1, description="0 is by score alone")
    one_per_recording: bool = False
    fold: bool = Field(
        default=False,
        description="of items of one recording, or of nearly the same sound (a mean cosine of "
        f"{ALIKE} or more over all facets), give the best, with the ids of the others as copies",
    )


class Export(_Model):
    """What to save, items or the results of a search, and as what."""

    format: Literal["m3u8", "csv"]
    ids: list[Identifier] = Field(default=[], max_length=10_000)
    search: Search | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Export:
        if bool(self.ids) == (self.search is not None):
            raise ValueError("Give ids or a search to export, one of the two")
        return self


class SearchResult(Item):
    """A result: its score is the weighted mean of its cosines, which the facets contribute to."""

    score: float = Field(ge=-1, le=1, description="sum of weight x cosine / sum of |weights|")
    contributions: dict[str, float] = Field(
        description="weight x cosine / sum of |weights|, by facet; they sum to the score"
    )
    cosines: dict[str, float] = Field(description="likeness in each facet: its cosine, -1 to 1")
    copies: list[str] = Field(default=[], description="ids of what was folded into this one")


class SearchResults(_Model):
    """Results, best first, and the weights that they were ranked with."""

    weights: dict[str, float]
    candidates: int = Field(description="items that passed the filter")
    results: list[SearchResult]
    milliseconds: float = Field(description="that the search took")


class Upload(_Model):
    """An upload, to be named in queries while the server keeps it."""

    upload: str
    name: str
    seconds: float
    peaks: list[float]


class Peaks(_Model):
    """The outline of a sound."""

    seconds: float
    peaks: list[float] = Field(description="largest magnitude in equal parts, 0 to 1")


class Points(_Model):
    """The items that maps show, and their factors."""

    ids: list[str]
    names: list[str] = Field(description="short, for people")
    factors: dict[str, list[float | None]] = Field(
        description="class number or number of each item, by factor; null where unknown"
    )


class Layout(_Model):
    """One facet laid flat."""

    facet: str
    x: list[int] = Field(description="0 to 10000, in the order of the points")
    y: list[int]
