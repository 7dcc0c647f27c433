"""Words, folders and orders: each finds what a naive loop finds."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_items import FACETS, MODEL, ids, vectors

from command_line import call
from disentone.errors import DataError
from disentone.search import Index
from disentone.search.folders import Folder, Folders
from disentone.search.ordering import order_of
from disentone.search.texts import Texts, words_of

FILES = [
    "/media/sounds/drums/Kicks/BassDrum_01.wav",
    "/media/sounds/drums/Kicks/kick10.flac",
    "/media/sounds/drums/Kicks/kick2.flac",
    "/media/sounds/Café/naïve Größe.wav",
    "/media/sounds/Café/señor/field.wav",
    "/media/sounds/loose.wav",
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    items = pa.table(
        {
            "id": [path.removeprefix("/media/sounds/") for path in FILES],
            "path": FILES,
            "start": [0.5, 0, 0, None, 0, 0],
            "end": [2.0, 1.0, 3.0, 2.5, None, 0.25],
            "instrument": ["drum", "drum", "drum", None, "Bowed Strings", "drum"],
            "tempo": [90, None, 120, 60, 100, 90],
        }
    )
    path = tmp_path_factory.mktemp("library") / "my.index"
    given = {"vectors": vectors(len(FILES)), "facets": FACETS, "model": MODEL}
    return Index.build(path, items=items, **given)


def names(index, **asked):
    return index.items(columns=["id"], **asked)["id"].to_pylist()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("kick", [0, 1, 2]),  # a folder, and names
        ("KICK1", [1]),
        ("drum", [0, 1, 2, 5]),  # part of a word written together, folders, a factor
        ("bassd", [0]),
        ("01", [0]),
        ("cafe", [3, 4]),
        ("CAFÉ na", [3]),
        ("grosse", [3]),
        ("grö", [3]),
        ("senor bow", [4]),
        ("string bowed", [4]),
        ("rum", []),  # no beginning of a word
        ("media", []),  # what all files have in common is no help
        ("flac kicks", [1, 2]),
        ("?!", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_words_are_found_as_one_types(library, text, found):
    expected = [FILES[n].removeprefix("/media/sounds/") for n in found]
    assert names(library, text=text) == expected


@given(
    texts=st.lists(st.text("abAB1 _-éßø/.", max_size=12), min_size=1, max_size=6),
    text=st.text("abAB1 é", max_size=5),
)
def test_words_match_where_a_loop_over_words_matches(texts, text):
    def plain(some):
        some = unicodedata.normalize("NFKD", some.casefold()).replace("ø", "o")
        some = "".join(c if c.isalnum() else " " for c in some if not unicodedata.combining(c))
        return some.split()

    found = Texts([[some] for some in texts]).matching(text)
    for some, matches in zip(texts, found):
        whole = all(any(w.startswith(word) for w in plain(some)) for word in plain(text))
        assert matches or not whole  # parts of words written together are found besides
    assert words_of(text) == plain(text)


def test_words_filter_a_search_and_stay_so_when_weights_move(library):
    query = library.query(like=[names(library)[0]])
    found = query.rank(text="drum", where="tempo >= 90")
    assert sorted(ids(found)) == sorted(["drums/Kicks/kick2.flac", "loose.wav"])
    assert found.candidates == 2
    assert library.snapshot().knows("tempo >= 90", "drum")
    assert not library.snapshot().knows(None, "dru")


def test_folders_are_walked_through(library):
    assert library.folders() == [Folder("Café", 2), Folder("drums", 3)]
    assert library.folders("drums") == [Folder("drums/Kicks", 3)]
    assert library.folders("drums/Kicks") == []
    assert names(library, folder="Café") == names(library, text="cafe")
    assert len(names(library, folder="Café/señor")) == 1
    with pytest.raises(DataError, match="no folder 'drum' in the index; did you mean 'drums'"):
        library.folders("drum")
    with pytest.raises(DataError, match="no folder"):
        library.items(folder="Caf")


def test_a_folder_that_begins_like_another_is_not_in_it():
    folders = Folders(["/s/a/x.wav", "/s/ab/y.wav", "/s/a/b/z.wav"])
    assert folders.below("a").tolist() == [True, False, True]
    assert folders.inside() == [Folder("a", 2), Folder("ab", 1)]
    assert [folders.name(n) for n in range(3)] == ["a", "ab", "a/b"]


def test_folders_that_have_nothing_in_common_are_whole():
    assert Folders(["/s/x.wav", "t/y.wav"]).inside() == [Folder("s", 1), Folder("t", 1)]
    assert Folders(["x.wav", "y.wav"]).inside() == []
    assert Folders([]).inside() == []


def test_lists_are_sorted(library):
    by_name = ["BassDrum_01", "field", "kick2", "kick10", "loose", "naïve Größe"]
    listed = [name.split("/")[-1].split(".")[0] for name in names(library, sort="name")]
    assert listed == by_name
    backwards = [n.split("/")[-1].split(".")[0] for n in names(library, sort="-name")]
    assert backwards == by_name[::-1]
    seconds = [1.5, 1.0, 3.0, 2.5, None, 0.25]
    known = sorted((s, n) for n, s in enumerate(seconds) if s is not None)
    order = [FILES[n].removeprefix("/media/sounds/") for _, n in known]
    unknown = ["Café/señor/field.wav"]
    assert names(library, sort="duration") == order + unknown
    assert names(library, sort="-duration") == order[::-1] + unknown
    tempos = library.items(sort="-tempo", text="drum", columns=["tempo"])["tempo"].to_pylist()
    assert tempos == [120, 90, 90, None]
    with pytest.raises(DataError, match="sorted by 'tmpo'; did you mean 'tempo'"):
        library.items(sort="tmpo")


def test_an_order_is_one_of_all_items():
    values = np.random.default_rng(0).standard_normal(50)
    everyone = np.ones(50, dtype=bool)
    order = order_of("x", pa.table({"x": values}))
    assert order.listed(everyone, descending=False).tolist() == np.argsort(values).tolist()
    assert order.listed(values > 0, descending=True).tolist() == [
        n for n in np.argsort(-values) if values[n] > 0
    ]


def test_the_command_line_lists_what_has_words(library):
    done = call("search", library.uri, "--text", "drum", "-k", "3")
    head, *rows = done.out.splitlines()
    assert head.split() == ["item", "s", "instrument", "·", "tempo"]
    assert [row.split()[1:3] for row in rows] == [
        ["drums/Kicks/BassDrum_01.wav", "1.50"],
        ["drums/Kicks/kick2.flac", "3.00"],
        ["drums/Kicks/kick10.flac", "1.00"],
    ]
    assert "4 have these words" in done.err
    quiet = call("search", library.uri, "--text", "drum", "-q")
    assert (quiet.out.split(), quiet.err) == (names(library, text="drum", sort="name"), "")


def test_words_filter_a_query_of_the_command_line(library):
    done = call("search", library.uri, "loose.wav", "--text", "kicks", "-q")
    assert sorted(done.out.split()) == sorted(names(library, text="kicks"))
    shown = call("search", library.uri, "loose.wav", "--text", "kicks").out.splitlines()
    assert shown[0].split()[:3] == ["item", "s", "score"]
    assert call("search", library.uri, "--text", "nothing").out == "Nothing passes the filter.\n"
