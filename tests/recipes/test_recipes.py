import pytest
import yaml

from disentone.agreement import Relation
from disentone.datasets.config import CollectionConfig
from disentone.errors import RecipeError
from disentone.recipes import dump_recipe, load_recipe, recipe_names
from disentone.recipes.facet import FacetConfig, parse_facets
from disentone.recipes.naming import private_note


@pytest.fixture
def written(tmp_path):
    """Write a recipe as it is given, text or values, and give its path."""

    def write(content):
        path = tmp_path / "mine.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def values():
    """What the smallest recipe says."""
    return {
        "name": "mine",
        "data": {"kind": "syntone"},
        "facets": {"private": {"dim": 2}, "shared": {"dim": 3, "same": "timbre"}},
        "objective": [{"term": "reconstruction"}],
    }


def test_the_recipes_of_the_paper_and_of_tests_are_there():
    assert {"debug", "demo", "marl-syntone", "marl-notes"} <= set(recipe_names())


OPEN = {"facets", "facets-from"}  # which their user fills in
WHOLE = [name for name in recipe_names() if name not in OPEN]


@pytest.mark.parametrize("name", WHOLE)
def test_packaged_recipes_are_whole(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.about, "listed without a word"
    ordered = any(term.term == "triplet" for term in recipe.objective)
    assert recipe.relations() or ordered, "nothing to agree in"
    assert set(recipe.paper) <= {*recipe.facets, "all"}
    for term in recipe.objective:
        assert set(term.named_facets()) <= set(recipe.facets)
    owned = [factor for factors in recipe.owns().values() for factor in factors]
    assert len(owned) == len(set(owned)), "a factor with two owners"


@pytest.mark.parametrize("name", WHOLE)
def test_a_dumped_recipe_is_the_same_recipe(name, written):
    recipe = load_recipe(name, settings=["seed=7"])
    assert load_recipe(written(dump_recipe(recipe))) == recipe


def test_a_dump_says_every_default(written, values):
    dumped = yaml.safe_load(dump_recipe(load_recipe(written(values))))
    assert dumped["training"]["learning_rate"] == 1e-3
    assert dumped["frontend"]["n_mels"] == 64


def test_the_paper_recipe_is_the_papers_setting():
    recipe = load_recipe("marl-syntone")
    weights = {
        (term.alpha, term.beta, term.gamma) for term in recipe.objective if term.term == "kl"
    }
    assert weights == {(0, 0, 0.1)}
    assert (recipe.training.epochs, recipe.training.optimiser) == (100, "adam")
    assert recipe.training.learning_rate == 1e-3
    assert recipe.layout().to_json() == {"private": 8, "shared": 8}


def test_settings_change_single_values():
    before = load_recipe("debug")
    settings = ["training.epochs=10", "objective.1.gamma=0.5", "facets.shared.dim = 4"]
    recipe = load_recipe("debug", settings=[*settings, "model.decoder.widths=[8, 16]"])
    assert recipe.training.epochs == 10
    assert recipe.objective[1].gamma == 0.5
    assert recipe.facets["shared"].dim == 4
    assert recipe.model.decoder.widths == (8, 16)
    assert recipe.training.batch == before.training.batch
    assert recipe.objective[0] == before.objective[0]


@pytest.mark.parametrize("text", ["{who}_{take}.wav", "'{who}_{take}.wav'", "{who}"])
def test_a_pattern_is_text(tone, tmp_path, text):
    tone("anna_1.wav")
    recipe = load_recipe(
        "facets",
        data=tmp_path,
        facets=["a:4 same=who", "rest:4"],
        settings=[f"data.pattern={text}"],
    )
    assert isinstance(recipe.data, CollectionConfig)
    assert recipe.data.pattern == text.strip("'")


def test_settings_may_name_what_the_recipe_leaves_out(written, values):
    recipe = load_recipe(written(values), settings=["model.encoder.kind=conv", "seed=3"])
    assert recipe.model.encoder.kind == "conv"
    assert recipe.seed == 3


def test_later_settings_win():
    settings = ["training.epochs=1", "training.epochs=2"]
    assert load_recipe("debug", settings=settings).training.epochs == 2


def test_owned_factors_follow_the_relation_unless_they_are_given(written, values):
    assert load_recipe(written(values)).owns() == {"private": (), "shared": ("timbre",)}
    values["facets"]["shared"] = {"same": "recording"}
    values["facets"]["private"] = {"owns": ["frequency"]}
    assert load_recipe(written(values)).owns() == {"private": ("frequency",), "shared": ()}


def test_data_takes_the_place_of_the_recipes():
    recipe = load_recipe("marl-notes", data="some/folder")
    assert recipe.data.path == "some/folder"
    assert recipe.data.kinds == {"pitch": "ordinal"}, "what the recipe says of factors stays"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.epoch=3", "unknown key 'training.epoch'; did you mean 'epochs'?"),
        ("trainning.epochs=3", "unknown key 'trainning'; did you mean 'training'?"),
        ("data.frequences=3", "unknown key 'data.frequences'; did you mean 'frequencies'?"),
        ("objective.1.gama=3", "unknown key 'objective.1.gama'; did you mean 'gamma'?"),
        ("facets.shared.sim=3", "unknown key 'facets.shared.sim'; did you mean 'dim'?"),
        ("zzz=3", "unknown key 'zzz'"),
        ("training.epochs=0", "training.epochs: "),
        ("training.epochs=many", "training.epochs: "),
        ("training.optimiser=sgd", "'adam' or 'adamw'"),
        ("training.precision=bfloat61", "not 'bfloat61'; did you mean 'bfloat16'?"),
        ("training.precision=half", "'auto', 'float32' or 'bfloat16', not 'half'."),
        ("data.kind=cloud", "data: .*'syntone'"),
        ("objective.0.term=magi", "objective.0: there is no term 'magi'; there are: reconstr"),
        ("objective.0.term=tripplet", "no term 'tripplet'; did you mean 'triplet'?"),
        ("frontend.kind=logmell", "frontend: there is no kind 'logmell'; did you mean 'logmel'?"),
        ("model.encoder.kind=rnn", "model.encoder: there is no kind 'rnn'; there are: patch, conv"),
        ("model.encoder.kind=path", "there is no kind 'path'; did you mean 'patch'?"),
        ("frontend.high=9000", "low < high <= sample_rate / 2 must hold"),
        ("facets.private.differ=timbre", "facets.private: 'differ' needs 'same' beside it"),
        ("training.epochs", "must look like training.epochs=10"),
        ("training.epochs.more=1", "'epochs' has no keys below it"),
        ("objective.2.gamma=1", "'2' must be a number below 2"),
        ("objective.kl.gamma=1", "'kl' must be a number below 2"),
        ("objective.5=1", "'5' must be a number below 2"),
        ("model.decoder.widths=[8", r"'model.decoder.widths=\[8' is not valid YAML"),
    ],
)
def test_mistakes_are_named(setting, words):
    with pytest.raises(RecipeError, match=words.replace("?", r"\?")) as caught:
        load_recipe("debug", settings=[setting])
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_gets_a_suggestion():
    with pytest.raises(
        RecipeError, match=r"no recipe 'marl-syntoné'; did you mean 'marl-syntone'\?"
    ):
        load_recipe("marl-syntoné")
    with pytest.raises(RecipeError, match=r"there are: .*debug.*demo"):
        load_recipe("zzz")
    with pytest.raises(RecipeError, match=r"no recipe file nowhere\.yaml"):
        load_recipe("nowhere.yaml")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name: [", r"mine\.yaml is not valid YAML: .*line 1"),
        ("a: 1\n b: 2\n", r"mine\.yaml is not valid YAML: .*line 2"),
        ("- a\n- list\n", r"mine\.yaml must be a YAML mapping"),
        ("", r"mine\.yaml must be a YAML mapping"),
        ("1: 2\n", "mine.yaml': "),
        ("name: mine\n", "data: Field required"),
        ("!!python/object/apply:os.system ['touch executed']", "not valid YAML"),
    ],
)
def test_bad_files_are_one_sentence(content, words, written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=words) as caught:
        load_recipe(written(content))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_a_file_that_is_not_text_is_one_sentence(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe(path)


def test_data_for_a_recipe_that_makes_its_own_is_refused(written, values):
    for recipe in ("debug", written(values)):
        with pytest.raises(RecipeError, match="makes its own data and takes no other"):
            load_recipe(recipe, data="folder")


def test_data_for_a_recipe_that_names_none_is_a_collection(written, values):
    del values["data"]
    assert load_recipe(written(values), data="folder").data.kind == "collection"
    with pytest.raises(RecipeError, match="data"):
        load_recipe(written(values | {"data": "folder"}), data="folder")


def test_an_objective_left_out_is_made_for_the_facets(written, values):
    facets = {"a": {"dim": 2, "same": "timbre"}, "b": {"dim": 2, "same": "frequency"}, "rest": {}}
    recipe = load_recipe(written(values | {"objective": [], "facets": facets}))
    terms = [term.model_dump() for term in recipe.objective]
    assert [term["term"] for term in terms] == [
        "reconstruction",
        "kl",
        "kl",
        "agreement",
        "agreement",
    ]
    assert [term.get("facets") for term in terms[1:3]] == [("rest",), ("a", "b")]
    assert [term.get("facet") for term in terms[3:]] == ["a", "b"]
    assert load_recipe(written(dump_recipe(recipe))) == recipe
    facets["b"]["same"] = "recording"
    recipe = load_recipe(written(values | {"objective": [], "facets": facets}))
    strict, loose = recipe.objective[3:]
    assert (strict.weight, loose.weight) == (10, 3), "a recording changes in time"


def test_facets_in_one_line_each():
    found = parse_facets(
        [
            "timbre:8 same=instrument differ=pitch,take",
            "pitch:4 same=pitch within=1.5 owns=pitch",
            "voice:2 augment=pitch_shift(-4, 4)+gain",
            "rest",
        ]
    )
    assert list(found) == ["timbre", "pitch", "voice", "rest"]
    config = {name: FacetConfig.model_validate(values) for name, values in found.items()}
    assert config["timbre"].relation == Relation("instrument", ("pitch", "take"))
    assert config["pitch"].relation == Relation("pitch", None, 1.5)
    assert [str(one) for one in config["voice"].chain] == ["pitch_shift(-4, 4)", "gain(-12, 12)"]
    assert config["voice"].relation.sames == ("clip",)
    assert config["rest"] == FacetConfig()
    assert [c.owned for c in config.values()] == [("instrument",), ("pitch",), (), ()]


@pytest.mark.parametrize(
    ("facets", "words"),
    [
        (["8"], "must begin with NAME:SIZE"),
        (["a:x"], "must begin with NAME:SIZE"),
        (["a:8 sam=b"], "did you mean 'same'"),
        (["a:8 same"], "not one of its keys with a value"),
        (["a:2", "a:3"], "given twice"),
        (["a:0 same=b"], "facets.a.dim"),
        (["a:2 differ=b"], "'differ' needs 'same'"),
        (["a:2 within=1"], "'within' needs 'same'"),
        (["a:2 rule=key"], "'rule' needs 'same'"),
        (["a:2 same=key rule=keys"], "rule"),
        (["a:2 same=clip"], "need 'augment'"),
        (["a:2 augment=pich_shift"], "did you mean 'pitch_shift'"),
        (["a:2 augment=gain(3)"], "must look like gain"),
        ([], "needs facets"),
    ],
)
def test_facets_that_cannot_be_read(facets, words, tone, tmp_path):
    tone("a.wav")
    with pytest.raises(RecipeError, match=words):
        load_recipe("facets", data=tmp_path, facets=facets)


def test_what_a_recipe_leaves_to_the_data(tone, tmp_path):
    for name in range(60):
        tone(f"{name}.wav", seconds=1.25, rate=16000)
    facets = ["who:2 same=folder"]
    recipe = load_recipe("facets", data=tmp_path, facets=facets)
    assert recipe.frontend.sample_rate == 16000
    assert recipe.frontend.seconds == 1.25
    assert recipe.training.epochs == 200  # 48 clips: 1,200 steps of 64 would be 1,600 epochs
    segmented = ["data.segment=0.5", "training.batch=8", "data.hop=0.25"]
    recipe = load_recipe("facets", data=tmp_path, facets=facets, settings=segmented)
    assert recipe.frontend.seconds == 0.5
    assert recipe.training.epochs == round(1200 * 8 / (48 * 4))
    given = ["training.epochs=3", "frontend.seconds=0.1", "frontend.sample_rate=8000"]
    recipe = load_recipe("facets", data=tmp_path, facets=facets, settings=given)
    assert (recipe.training.epochs, recipe.frontend.seconds) == (3, 0.1)


@pytest.mark.parametrize(
    ("seconds", "window", "count"),
    [
        (0.7, 0.7, "one window"),
        (2.0, 2.0, "one window"),
        (2.5, 1.25, "2 windows"),
        (5, 1.66, "3 w"),
    ],
)
def test_the_median_clip_is_a_whole_number_of_windows(tone, tmp_path, seconds, window, count):
    for name in range(3):
        tone(f"{name}.wav", seconds=seconds, rate=8000)
    tone("long.wav", seconds=12, rate=8000)
    notes = []
    recipe = load_recipe("facets", data=tmp_path, facets=["a:2"], note=notes.append)
    assert recipe.frontend.seconds == window
    (note,) = notes
    assert note.startswith("Chosen for these clips: frontend.sample_rate=8000 (most files have")
    assert f"frontend.seconds={window} (the median clip lasts {seconds:g} s, {count}" in note


def test_sounds_that_are_made_are_taken_as_they_are_made():
    notes, made = [], ["data.kind=patches", "data.clips=400", "data.seconds=0.75"]
    recipe = load_recipe("facets", facets=["a:2 same=pitch"], settings=made, note=notes.append)
    assert (recipe.frontend.sample_rate, recipe.frontend.seconds) == (22050, 0.75)
    assert recipe.training.epochs == 200  # of 320 clips
    assert "as long as the sounds that are made" in notes[0]
    with pytest.raises(RecipeError, match=r"401 clips are no multiple of the 4 repeats"):
        load_recipe("facets", facets=["a:2"], settings=["data.kind=patches", "data.clips=401"])


def test_what_was_chosen_stays_when_a_run_goes_on(tone, tmp_path):
    tone("a.wav", seconds=5, rate=8000)
    began = load_recipe("facets", data=tmp_path, facets=["a:2"], settings=["frontend.seconds=1.5"])
    (tmp_path / "config.yaml").write_text(dump_recipe(began))
    notes, options = [], {"data": tmp_path, "facets": ["a:2"]}
    for begun, seconds in ((tmp_path / "config.yaml", 1.5), (tmp_path / "none.yaml", 1.66)):
        again = load_recipe("facets", **options, begun=begun, note=notes.append)
        assert again.frontend.seconds == seconds
    assert again.model_copy(update={"frontend": began.frontend}) == began
    assert len(notes) == 1, "nothing was chosen for the run that goes on"


@pytest.mark.parametrize(
    ("facets", "words"),
    [
        (["rest:2", "who:2 same=folder"], None),
        (["who:2", "where:2 same=folder"], "Facet 'who' has no 'same': private"),
        (["who:2", "timbre:2"], "Facets 'who', 'timbre' have no 'same': private"),
        (["who:2 owns=folder"], None),
    ],
)
def test_a_private_facet_with_a_name_that_promises_more_is_noted(tone, tmp_path, facets, words):
    tone("x/a.wav")
    note = private_note(load_recipe("facets", data=tmp_path, facets=facets))
    assert note is None if words is None else note.startswith(words)


def test_no_packaged_recipe_has_a_facet_that_promises_more():
    for name in set(recipe_names()) - OPEN:
        assert private_note(load_recipe(name)) is None


@pytest.mark.parametrize(
    ("facets", "kind"),
    [
        (["a:2 same=recording", "rest:2"], "patch"),
        (["a:2 same=recording", "b:2 same=folder"], "conv"),
        (["a:2 same=recording,folder"], "conv"),
        (["rest:2"], "conv"),
    ],
)
def test_the_encoder_suits_the_views(tone, tmp_path, facets, kind):
    tone("x/a.wav")
    settings = ["data.segment=0.05", "model.encoder.dropout=0.1"]
    recipe = load_recipe("facets", data=tmp_path, facets=facets, settings=settings)
    assert (recipe.model.encoder.kind, recipe.model.encoder.dropout) == (kind, 0.1)
    chosen = [*settings, "model.encoder.kind=conv", "model.encoder.channels=[4]"]
    recipe = load_recipe("facets", data=tmp_path, facets=facets, settings=chosen)
    assert recipe.model.encoder.model_dump()["channels"] == (4,)


def test_auto_is_refused_where_there_is_no_rule_for_it(tone, tmp_path):
    tone("a.wav")
    with pytest.raises(RecipeError, match=r"'training\.batch' cannot be auto"):
        load_recipe("facets", data=tmp_path, facets=["a"], settings=["training.batch=auto"])


def test_numbers_may_be_written_with_an_exponent():
    """YAML 1.1 reads 1e-4 as text."""
    recipe = load_recipe("debug", settings=["training.learning_rate=1e-4"])
    assert recipe.training.learning_rate == 1e-4


def test_a_facet_may_agree_by_a_rule_of_music():
    facet = FacetConfig(**parse_facets(["key:16 same=key rule=key"])["key"])
    assert (facet.dim, facet.relation.rule, facet.owned) == (16, "key", ("key",))
    assert str(facet.relation) == "same key by the rule of key"
