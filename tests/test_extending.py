"""docs/extending.md: its package is installed as it stands there, and each part of it is used."""

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import disentone
from disentone import objectives
from disentone.audit import Card, audit
from disentone.audit.registry import chosen_measures
from disentone.datasets.config import CollectionConfig
from disentone.datasets.named import load_dataset
from disentone.errors import DataError, RecipeError, load_plugin, plugin_names
from disentone.facets import Facets
from disentone.factors import Factor
from disentone.recipes import load_recipe
from disentone.report import ReportInputs, measures

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
if not PAGE.exists():
    pytest.skip("docs are not in this copy", allow_module_level=True)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
QUICK = (
    "training.epochs=2",
    "training.batch=8",
    "audit.seeds=1",
    "audit.permutations=20",
    "audit.measures=[mig,best_correlation]",
)
RATE = 16000

IMPORTED = """
import json, sys
from disentone.cli import main
for sys.argv[1:] in json.loads(sys.stdin.read()):
    try:
        main()
    except SystemExit:
        pass
from disentone.recipes import load_recipe
load_recipe("csn-music", settings=["audit.measures=[all]"], data=".")
print(json.dumps([name for name in sys.modules if name.split(".")[0] in ("kitchen", "broken")]))
"""


def files_of_the_page():
    """Text of each file of the page, by the name in its first line."""
    named = [(re.match(r"# (\S+\.\w+)\n", text), text) for _, text in BLOCKS]
    return {match[1]: text for match, text in named if match}


def install(site, name, points):
    """Lay a package's metadata where pip would, beside its modules."""
    about = site / f"{name.replace('-', '_')}-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{point} = {place}" for point, place in members.items())])
        for group, members in points.items()
    ]
    (about / "entry_points.txt").write_text("\n\n".join(groups) + "\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder on the path with the page's package, and one that cannot be imported."""
    site = tmp_path_factory.mktemp("site")
    files = files_of_the_page()
    for name, text in files.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    install(site, project["name"], project["entry-points"])
    (site / "broken.py").write_text("import no_such_library\n")
    broken = {f"disentone.{group}": {"broken": "broken:Thing"} for group in GROUPS}
    install(site, "broken-package", broken)
    odd = {f"disentone.{group}": {"odd": "json:dumps", "twice": "json:loads"} for group in GROUPS}
    install(site, "odd-package", odd)
    install(site, "twin-package", {"disentone.terms": {"twice": "json:loads"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        importlib.invalidate_caches()
        yield site
    for name in [name for name in sys.modules if name.split(".")[0] == "kitchen"]:
        del sys.modules[name]


GROUPS = ("frontends", "encoders", "datasets", "measures", "terms")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Strokes of two tools."""
    folder = tmp_path_factory.mktemp("sounds")
    time, rng = np.arange(RATE // 2) / RATE, np.random.default_rng(0)
    for tool, pitch in {"whisk": 900, "pan": 350}.items():
        for force in (1, 2, 3):
            for take in range(10):
                wave = 0.1 * force * np.sin(2 * np.pi * pitch * time) * np.exp(-4 * time)
                noise = 0.01 * rng.standard_normal(len(time))
                soundfile.write(folder / f"{tool}_{force}_{take}.wav", wave + noise, RATE)
    return folder


@pytest.fixture(scope="module")
def run(site, sounds, tmp_path_factory):
    """A run of the page's recipe."""
    here = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        recipe = load_recipe(site / "kitchen.yaml", settings=QUICK, data=sounds)
        disentone.train(recipe, here / "kitchen", brief=True)
    return here / "kitchen"


def test_the_page_has_a_part_for_every_group(site):
    project = tomllib.loads(files_of_the_page()["pyproject.toml"])["project"]
    assert set(project["entry-points"]) == {f"disentone.{group}" for group in GROUPS}


def test_a_run_with_all_of_it_embeds_again(run, sounds):
    model = disentone.load(run)
    assert (model.frontend.config.kind, model.network.config.encoder.kind) == ("bands", "recurrent")
    assert type(model.network.encoder).__module__ == "kitchen.recurrent"
    vectors = model.embed([sounds / "whisk_1_0.wav", sounds / "pan_3_2.wav"])
    assert vectors["tool"].shape == (2, 4)
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[-1])["train/sparsity"] > 0
    assert load_recipe(run / "config.yaml").objective[-1].facet == "rest"


def test_its_measure_is_on_the_card_and_in_the_report(run):
    card = Card.load(run / "audit.json")
    assert {r["factor"] for r in card.records if r["measure"] == "best_correlation"} == {
        "all",
        "force",
    }
    record = card.record("best_correlation", "all", "all")
    assert 0 <= record["low"] <= record["value"] <= record["high"] <= 1
    assert record["chance"] < 1
    assert "best correlation" in (run / "report.html").read_text(encoding="utf-8")


def test_its_measure_is_numpys_correlation(site):
    rng = np.random.default_rng(0)
    codes, split = rng.standard_normal((60, 3)), np.repeat(["train", "test"], 30)
    force = codes[:, 1] + rng.standard_normal(60)
    factors = {
        "force": Factor.continuous("force", force),
        "tool": Factor.categorical("tool", list("ab" * 30)),
    }
    card = audit(codes, facets=Facets({"one": 3}), factors=factors, split=split, seeds=1,
                 permutations=2, measures=["best_correlation"])  # fmt: skip
    expected = max(abs(np.corrcoef(force[30:], x)[0, 1]) for x in codes[30:].T)
    assert card.value("best_correlation", "all", "all") == pytest.approx(expected)


def test_its_data_set_opens(site, sounds):
    collection = load_dataset("kitchen", sounds, CollectionConfig(split="force:1/1/1"))
    assert len(collection.table) == 60
    assert set(collection.table.factors) == {"tool", "force"}


def test_nothing_is_imported_before_it_is_named(site):
    commands = [["--help"], ["recipes"], ["train", "debug", "--set", "training.epoch=2"]]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        input=json.dumps(commands),
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("frontend.kind=band", "frontend: there is no kind 'band'; did you mean 'bands'?"),
        ("frontend={kind: bands, bandz: 3}", "frontend: unknown key 'bandz'; did you mean 'bands'"),
        ("frontend={kind: bands, bands: 1}", "frontend.bands: Input should be greater than"),
        ("model.encoder.kind=recurent", "there is no kind 'recurent'; did you mean 'recurrent'?"),
        ("objective.0.term=sparsty", "there is no term 'sparsty'; did you mean 'sparsity'?"),
        ("objective.0={term: sparsity, facet: none}", None),
        ("audit.measures=[best_corelation]", "did you mean 'best_correlation'?"),
        *(
            (setting, "Package 'broken-package', which gives 'broken' of disentone.")
            for setting in (
                "frontend.kind=broken",
                "model.encoder.kind=broken",
                "objective.0.term=broken",
                "audit.measures=[broken]",
            )
        ),
        ("frontend.kind=odd", "must be a subclass of disentone.frontends.config.FrontEndKind"),
        ("model.encoder.kind=odd", "must be a subclass of disentone.models.config.EncoderKind"),
        ("objective.0.term=odd", "must be a subclass of disentone.objectives.term.Term"),
        ("audit.measures=[odd]", "must be a Measure of that name"),
        ("objective.0.term=twice", "given by one package, but is by odd-package and twin-package"),
    ],
)
def test_mistakes_are_one_sentence(site, setting, words):
    if words is None:
        assert load_recipe("debug", settings=[setting]).objective[0].term == "sparsity"
        return
    with pytest.raises(RecipeError) as caught:
        load_recipe("debug", settings=[setting])
    said = str(caught.value)
    assert words in said
    assert "\n" not in said
    assert not said.endswith(("?.", ".."))


def test_data_sets_that_cannot_be_used_are_one_sentence(site, sounds):
    with pytest.raises(DataError, match=r"'kitchn' is unknown; did you mean 'kitchen'\?"):
        load_dataset("kitchn", sounds)
    with pytest.raises(RecipeError, match=r"'broken-package'.*No module named 'no_such_library'"):
        load_dataset("broken", sounds)


def test_a_broken_measure_does_not_keep_the_others_from_being_measured(site):
    rng = np.random.default_rng(0)
    names = chosen_measures(["all"])
    assert {"mig", "best_correlation", "broken"} <= names
    card = audit(
        rng.standard_normal((60, 3)),
        facets=Facets({"one": 3}),
        factors={"force": Factor.continuous("force", rng.standard_normal(60))},
        split=np.repeat(["train", "test"], 30),
        seeds=1,
        permutations=2,
        measures=["all"],
    )
    assert card.record("best_correlation", "all", "all")
    assert any("Not measured, broken: Package 'broken-package'" in note for note in card.notes)


def test_a_card_can_be_read_where_the_package_is_not(run, monkeypatch):
    card = Card.load(run / "audit.json")
    inputs = ReportInputs(
        title="", facets=Facets({"one": 1}), factors={}, card=card, embedding=np.zeros((0, 1))
    )
    assert "best correlation" in measures.section(inputs).body
    monkeypatch.setattr("disentone.audit.registry.plugin_names", lambda group: [])
    body = measures.section(inputs).body
    assert "best correlation" not in body
    assert "MIG" in body


def test_names_are_sorted_and_none_is_asked_for_in_vain(site):
    assert {"bands", "broken", "odd", "twice"} <= set(plugin_names("frontends"))
    assert plugin_names("no_such_group") == []
    with pytest.raises(RecipeError, match="given by one package, but is by none"):
        load_plugin("terms", "nothing")


def test_the_functions_work_in_a_loop_of_ones_own():
    (text,) = (text for _, text in BLOCKS if "import agreement, covariance, infonce" in text)
    torch.manual_seed(0)
    known = {name: torch.randn(8, 3, requires_grad=True) for name in ("first", "second")}
    known |= {name: torch.randn(8, 3) for name in ("timbre", "pitch")}
    known["views"] = torch.randn(8, 2, 3)
    exec(text, known)
    known["loss"].backward()
    assert torch.isfinite(known["first"].grad).all()
    page = PAGE.read_text(encoding="utf-8")
    sentence = page[page.index("Also `similarity`") :].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) <= set(objectives.__all__)
