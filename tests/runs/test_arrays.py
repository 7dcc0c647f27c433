"""Anyone's embeddings, from files to a card and its page; and by the command line."""

import csv
import json

import numpy as np
import pytest

from command_line import call, complaint
from disentone.audit import Card
from disentone.errors import DataError
from disentone.runs.arrays import audit_arrays

COUNT = 160
QUICK = {"seeds": 1, "jobs": 1, "measures": ["mig", "total_correlation"]}
WORDS = ("--seeds", "1", "--jobs", "1", "--measures", "mig", "-q")


@pytest.fixture(scope="module", autouse=True)
def _short():
    """Probes that are fitted for a sixth of the time: these codes are easy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("disentone.audit.probes.STEPS", 50)
        patch.setattr("disentone.audit.families.SAMPLES", 10)
        yield


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Embeddings whose first two dimensions encode the room and last two the level."""
    folder = tmp_path_factory.mktemp("arrays")
    rng = np.random.default_rng(0)
    room, level = rng.integers(3, size=COUNT), rng.integers(5, size=COUNT)
    codes = np.c_[4 * np.eye(3)[room][:, :2], level, rng.normal(size=COUNT)]
    codes = (codes + 0.2 * rng.normal(size=codes.shape)).astype(np.float32)
    names = [f"{i}.wav" for i in range(COUNT)]
    np.save(folder / "codes.npy", codes)
    np.savez(folder / "named.npz", z=codes[::-1], path=np.array(names[::-1]))
    np.save(folder / "other.npy", codes[:, ::-1])
    rows = [[n, f"room {r}", int(s), i // 2] for i, (n, r, s) in enumerate(zip(names, room, level))]
    write(folder / "labels.csv", [["path", "room", "level", "recording"], *rows])
    split = [["split"], *([["train"], ["train"], ["valid"], ["test"]] * (COUNT // 4))]
    given = [[*row, *more] for row, more in zip([["path", "room"], *(r[:2] for r in rows)], split)]
    write(folder / "split.csv", given)
    return folder


@pytest.fixture(scope="module")
def audited(folder):
    page = audit_arrays(
        folder / "codes.npy",
        folder / "labels.csv",
        facets="a=0:2,b=2:4",
        owns={"a": ["room"]},
        kinds={"level": "ordinal"},
        out=folder / "one",
        **QUICK,
    )
    return page.parent


def test_a_card_and_its_page_are_left(audited):
    card = Card.load(audited / "audit.json")
    assert card.run == "codes.npy"
    assert card.value("probe", "a", "room") > 0.95
    assert card.value("probe", "b", "level") > 0.9
    assert card.record("leak", "a", "level")["low"] <= 0
    assert card.record("mig", "all", "all")["split"] == "all"
    assert card.factors["level"]["kind"] == "ordinal"
    assert card.outcomes.clips[0].endswith(".wav")
    assert len(set(card.outcomes.groups)) < len(card.outcomes.groups)
    assert (audited / "report.html").read_text().count("<section") == 6


def test_rows_that_are_named_may_be_in_another_order(folder, audited):
    page = audit_arrays(
        folder / "named.npz",
        folder / "labels.csv",
        facets="a=2,b=2",
        names=["room"],
        out=folder / "named",
        **QUICK,
    )
    assert Card.load(page.parent / "audit.json").value("probe", "a", "room") > 0.95


def test_a_split_that_is_given_is_kept_and_nothing_else_is_measured(folder):
    page = audit_arrays(folder / "codes.npy", folder / "split.csv", out=folder / "given", **QUICK)
    card = Card.load(page.parent / "audit.json")
    probe = card.record("probe", "embedding", "room")
    assert (probe["train"], probe["n"]) == (COUNT // 2, COUNT // 4)
    assert card.record("mig", "all", "all")["split"] == "test"
    assert card.record("mig", "all", "all")["n"] == COUNT // 4


def test_a_subsample_is_smaller_and_surer_of_less(folder, audited):
    page = audit_arrays(
        folder / "codes.npy",
        folder / "labels.csv",
        facets="a=0:2,b=2:4",
        subsample=80,
        out=folder / "some",
        **QUICK,
    )
    whole, some = (Card.load(at / "audit.json") for at in (audited, page.parent))
    wide, narrow = (c.record("total_correlation", "all", "all") for c in (some, whole))
    assert wide["n"] == pytest.approx(80, abs=2)
    assert wide["high"] - wide["low"] > 1.2 * (narrow["high"] - narrow["low"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"facets": "a=0:2"}, "are 2 dimensions, the embeddings have 4"),
        ({"factors": None}, "Nothing is known of these embeddings: give a table"),
        ({"names": ["rom"]}, "no column 'rom'; did you mean 'room'"),
        ({"owns": {"embedding": ["rom"]}}, "no factor 'rom'; did you mean 'room'"),
        ({"split": "room", "names": ["room", "level"]}, "'room' cannot be audited|No test clip"),
        ({"subsample": 3}, "3 items are too few"),
        ({"beside": ["labels.csv"]}, "'labels' has"),
        ({"kinds": {"room": "colour"}}, "kind 'colour' is unknown"),
    ],
)
def test_what_does_not_fit_is_refused(folder, change, message, monkeypatch):
    monkeypatch.chdir(folder)
    np.save(folder / "short.npy", np.ones((3, 2)))
    change = {k: (["short.npy"] if k == "beside" else v) for k, v in change.items()}
    message = message.replace("'labels'", "'short'")
    given = {"embeddings": "codes.npy", "factors": "labels.csv"} | QUICK | change
    with pytest.raises(DataError, match=message):
        audit_arrays(**given)


# --- the command line -----------------------------------------------------------------------------


def test_two_audits_and_their_comparison(folder, monkeypatch):
    monkeypatch.chdir(folder)
    first = call("audit", "codes.npy", "labels.csv", "--facets", "a=0:2,b=2:4", *WORDS,
                 "--own", "a=room,b=level", "--variant", "syntone")  # fmt: skip
    assert (first.code, first.out) == (0, "audits/codes/report.html\n")
    card = Card.load(folder / "audits" / "codes" / "audit.json")
    assert card.record("leak", "b", "room")["measure"] == "leak"
    assert [r.get("variant") for r in card.records if r["measure"] == "mig"].count("syntone") > 1
    second = call("audit", "other.npy", "labels.csv", "--facets", "b=0:2,a=2:4", *WORDS, "-o", "x")
    assert (second.code, second.out) == (0, "x/report.html\n")
    done = call("compare", "audits/codes", "x/audit.json", "-o", "both")
    *lines, last = done.out.splitlines()
    assert (done.code, last) == (0, "both/compare.html")
    assert any("a → room" in line for line in lines)
    written = json.loads((folder / "both" / "compare.json").read_text())
    assert written["cards"] == ["codes", "x"]
    kinds = {r["measure"]: r["kind"] for r in written["records"]}
    assert (kinds["probe"], kinds["mig"]) == ("paired", "independent")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("audit codes.npy", "Nothing is known of these embeddings"),
        ("audit nowhere.npy labels.csv", "no embeddings 'nowhere.npy'"),
        ("audit codes.npy nowhere.csv", "cannot be read"),
        ("audit codes.npy labels.csv --kind level:ordinal", "--kind 'level:ordinal' must look"),
        ("audit codes.npy labels.csv --measures migg", "no measure 'migg'; did you mean 'mig'"),
        ("audit codes.npy labels.csv --variant sintone", "did you mean 'syntone'"),
        ("audit codes.npy labels.csv --data labels.csv", "--data is for a run"),
        ("audit . labels.csv", "these are for embeddings, but '.' is a run"),
        ("compare labels.csv", "Give two audits or more"),
        ("compare labels.csv labels.csv", "labels.csv is not JSON"),
    ],
)
def test_bad_input_is_one_sentence(folder, monkeypatch, words, message):
    monkeypatch.chdir(folder)
    assert message in complaint(*words.split())
