"""Recipes, runs and working directories that a stranger made, and terms that are code."""

import shutil
from functools import partial

import yaml

from strangers_made import EVIL, HUGE, Case, placed

TERM = (
    "from disentone.objectives import Term\n"
    "class Odd(Term):\n"
    "    term: str = 'mine:Odd'\n"
    "    def __call__(self, out, module=None):\n"
    "        {does}\n"
)
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
ODD_PATHS = ["x" * 5000, "a\0b", "~nobody/x", "/dev/zero", "/proc/self/mem", "", "\ud800", ["a"]]

# --- recipes --------------------------------------------------------------------------------------


def cases(base):
    """All cases; ``base`` has an honest run and sounds."""
    for make in (_recipes, _code, _runs, _places):
        yield from make(base)


def _train(folder, *words):
    return ["train", folder / "mine.yaml", "--out", folder / "out", "--quiet", *words]


def _recipes(base):
    def text(content, folder):
        (folder / "mine.yaml").write_text(content, encoding="utf-8")
        return _train(folder)

    def change(path, value, folder):
        recipe = yaml.safe_load((base / "run" / "config.yaml").read_text(encoding="utf-8"))
        placed(recipe, path, value)
        return text(yaml.safe_dump(recipe), folder)

    texts = {
        "billion laughs": LAUGHS,
        "contains itself": "a: &a [*a]",
        "deep": "[" * 10**5,
        "deep mapping": "{a: " * 10**4,
        "long": "# " + "x" * 10**8,
        "python object": "name: !!python/object/apply:os.system ['touch RAN']",
        "python name": "name: !!python/name:os.system",
        "no such day": "name: 2001-99-99",
        "a huge number": "seed: " + "9" * 10**5,
        "empty": "",
        "a list": "[1, 2]",
        "binary": "\x00\x01",
        "keys that are no words": "{1: 2, [a]: 3, null: 4}",
        "tabs": "a:\n\t- b",
        "two documents": "a: 1\n---\nb: 2",
    }
    for name, content in texts.items():
        yield Case(f"recipe: {name}", "refused", partial(text, content))
    for key in ("name", "data", "frontend", "facets", "model", "objective", "training", "audit"):
        for value in (None, 7, "x", [[]], [1, {"a": 2}], {"a": {"b": 1}}, {"kind": []}, True):
            if (key, value) != ("name", "x"):
                name = f"recipe: {key}={str(value)[:40]}"
                yield Case(name, "refused", partial(change, key, value))
    sizes = {
        "name": ["../../out", "/elsewhere/out"],
        "data": [{"kind": "collection", "path": path} for path in ODD_PATHS],
        "views": [HUGE],
        "draws": [HUGE],
        "seed": [-1, 10**30],
        "facets.shared.dim": [HUGE],
        "facets": [{f"f{n}": {"dim": 1} for n in range(4000)}],
        "model.encoder.width": [HUGE, 60_000],
        "model.decoder.widths": [[60_000] * 200],
        "frontend.n_fft": [2**30],
        "training.batch": [10**15],
        "training.learning_rate": [float("inf")],
        "data.frequencies": [10**12],
    }
    for path, values in sizes.items():
        for value in values:
            name = f"recipe: {path}={str(value)[:40]}"
            yield Case(name, "refused", partial(change, path, value))


# --- code -----------------------------------------------------------------------------------------


def _code(base):
    def term(code, words, folder):
        (folder / "code").mkdir()
        (folder / "code" / "mine.py").write_text(code, encoding="utf-8")
        recipe = yaml.safe_load((base / "run" / "config.yaml").read_text(encoding="utf-8"))
        recipe["objective"].append({"term": "mine:Odd"})
        (folder / "mine.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        return _train(folder, *words)

    honest = EVIL + TERM.format(does="return {'value': out.mean.square().mean()}")
    yield Case("code: a term", "refused", partial(term, honest, []))
    yield Case(
        "code: a term, downloads allowed", "refused", partial(term, honest, ["--allow-download"])
    )
    yield Case(
        "code: a term that is allowed", "works", partial(term, honest, ["--allow-code"]), True
    )
    broken = {
        "raises": "raise ValueError('no')",
        "exits": "raise SystemExit(0)",
        "interrupts": "raise KeyboardInterrupt",
        "ends without end": "def f(): f()\nf()",
        "does not parse": "class (",
        "is no term": "Odd = print",
        "is empty": "",
        "divides by zero": TERM.format(does="return {'value': 1 / 0}"),
        "returns nothing": TERM.format(does="return None"),
        "exits in training": TERM.format(does="raise SystemExit(0)"),
    }
    for name, code in broken.items():
        yield Case(f"code: {name}", "refused", partial(term, code, ["--allow-code"]))
    for place in ("os:system", "mine:", ":Odd", "..mine:Odd", "mine:Odd:Odd", "subprocess:run"):

        def named(folder, place=place):
            words = term(honest, [], folder)
            text = (folder / "mine.yaml").read_text(encoding="utf-8").replace("mine:Odd", place)
            (folder / "mine.yaml").write_text(text, encoding="utf-8")
            return words

        yield Case(f"code: '{place}'", "refused", named)


def _runs(base):
    def run(change, words, folder):
        (folder / "code").mkdir()
        (folder / "code" / "mine.py").write_text(
            EVIL + TERM.format(does="return {}"), encoding="utf-8"
        )
        shutil.copytree(base / "run", folder / "run")
        file = folder / "run" / "config.yaml"
        recipe = yaml.safe_load(file.read_text(encoding="utf-8"))
        change(recipe)
        file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
        return [word.replace("RUN", str(folder / "run")) for word in words]

    def code(recipe):
        recipe["objective"].append({"term": "mine:Odd"})

    def fetch(recipe):
        recipe["frontend"] = {"kind": "encoder", "model": "evil/model"}

    for name, change in {"code": code, "a network of the hub": fetch}.items():
        for words in (["audit", "RUN"], ["audit", "RUN", "-o", "RUN/again"]):
            yield Case(f"run with {name}: {words[-1]}", "refused", partial(run, change, words))
    for words in (
        ["train", "RUN/config.yaml", "--out", "RUN", "--resume"],
        ["train", "RUN/config.yaml"],
    ):
        yield Case(f"run with code: {' '.join(words)}", "refused", partial(run, code, words))
    embed = ["embed", "RUN", str(base / "sounds"), "-o", "RUN/out.parquet"]
    yield Case("run with code: embed", "works", partial(run, code, embed))
    yield Case("run with code: info", "works", partial(run, code, ["info", "RUN"]))


# --- where the command is given -------------------------------------------------------------------


def _places(base):
    names = "torch yaml numpy typing json re subprocess multiprocessing socket pickle safetensors"
    names = [*names.split(), "rich", "typer", "sitecustomize", "usercustomize"]

    def stray(words, folder):
        for name in names:
            (folder / f"{name}.py").write_text(EVIL, encoding="utf-8")
        (folder / "matplotlibrc").write_text("backend: module://torch\n", encoding="utf-8")
        return words

    yield Case("directory: --version", "works", partial(stray, ["--version"]))
    embed = ["embed", base / "run", base / "sounds", "-o", "out.npz"]
    yield Case("directory: embed", "works", partial(stray, embed))
    quick = ["--set", "training.epochs=1", "--set", "audit.seeds=1"]
    yield Case("directory: train", "works", partial(stray, ["train", "debug", *quick]))
