"""Write docs/licences.md: under what licence everything is that disentone installs.

    python .ci/licences.py [--check]

It lists what is installed where it runs, that is to say what constraints.txt pins. With --check
nothing is written: exit code 1 if the page is of other packages or licences.
"""

import re
import sys
import textwrap
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, PINS = ROOT / "docs/licences.md", ROOT / "constraints.txt"
NOT_SAID = {  # by their repositories, and not by their metadata
    "axe-playwright-python": "MIT",
    "mergedeep": "MIT",
    "pytorch-metric-learning": "MIT",
}
HEAD = """# Licences

What disentone and its extras install, at the versions of `constraints.txt`, as the packages' own
metadata say it. `python .ci/licences.py` writes this page, as far as packages are installed where
it runs, and CI compares it. disentone itself is MIT; the player of its page, wavesurfer.js, is
BSD-3-Clause. The weights of packaged models are MIT, too; what they were trained on, with licences
and authors, is on their [cards](models.md).

Not permissive, or with something inside that is not:

- **PyAV** (`av`) is BSD-3-Clause; its wheel for Linux holds FFmpeg, which says of itself:
  {ffmpeg}. Beside FFmpeg are
  {others}.
  {gpl}
- **soxr** is LGPL-2.1-or-later: a library beside disentone, which another build can replace. So is
  libsndfile (LGPL-2.1-or-later) in the wheel of **soundfile**.
- The extra `data` brings **py7zr**, **pybcj**, **pyppmd**, **inflate64**, **multivolumefile** and
  **paramiko**, all LGPL-2.1, by way of soundata and smart_open.
- **pathspec**, **certifi** and part of **tqdm** are MPL-2.0, and so is axe-core in
  `axe-playwright-python`, of tests alone.
- **torch** from PyPI brings NVIDIA's libraries on Linux, under NVIDIA's own terms; its CPU builds
  have none of them.
- Networks that a front-end fetches have licences of their own, on their pages of the hub.

"""
GPL = """**{names} are under GPL-2.0-or-later**: they encode video, which disentone never does, but
  who passes the wheel on passes them on, too. `pip install --no-binary av av` builds PyAV with the
  FFmpeg of the system."""
OF_GPL = {"x264", "x265"}
OF_FFMPEG = re.compile("av[a-z]+|sw[a-z]+")
ABSENT = "not installed where this page was made"


def main(check: bool) -> int:
    """Write the page, or compare it with what is installed."""
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    old = PAGE.read_text(encoding="utf-8")
    absent = set(re.findall(rf"^\| (\S+) \| \S+ \| {ABSENT} \|$", old, re.MULTILINE))
    known = rows(old)
    wrong = [name for name, row in rows(text).items() - known.items() if name not in absent]
    if wrong:
        print(f"docs/licences.md is not of what is installed here: {', '.join(sorted(wrong))}")
    return int(bool(wrong))


def page() -> str:
    """Give the text of the page."""
    before = rows(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    lines = ["| package | version | licence |", "|---|---|---|"]
    for pin in PINS.read_text(encoding="utf-8").splitlines():
        name, equals, version = pin.partition("==")
        if equals:
            kept = before.get(name, "").removeprefix(f"{version} ")
            kept = kept if kept != before.get(name) else ""  # of another version
            lines.append(f"| {name} | {version} | {licence(name) or kept or ABSENT} |")
    return HEAD.format(**pyav()) + "\n".join(lines) + "\n"


def rows(text: str) -> dict[str, str]:
    """Rows of the table of packages that were installed, by their names."""
    found = re.findall(r"^\| ([\w.-]+) \| (\S+) \| (.+) \|$", text, re.MULTILINE)
    return {name: f"{v} {what}" for name, v, what in found if what != ABSENT}


def licence(name: str) -> str:
    """Give a package's licence in one line; "" where it is not installed."""
    try:
        about = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    said = about.get("License-Expression") or ""
    classifiers = [c.split(" :: ")[-1] for c in about.get_all("Classifier") or [] if "License" in c]
    whole = (about.get("License") or "").strip().removeprefix("UNKNOWN")
    short = whole if 0 < len(whole) < 60 and "\n" not in whole else ""
    return said or short or ", ".join(classifiers) or NOT_SAID.get(name, "not said")


def pyav() -> dict[str, str]:
    """Say what is in PyAV's wheel; how FFmpeg was built, it says itself."""
    from av._core import library_meta

    files = (Path(str(file)) for file in distribution("av").files or [])
    inside = (file.name for file in files if file.parent.name == "av.libs")
    names = {re.split(r"[-.]", name)[0].removeprefix("lib") for name in inside}
    names = sorted(name for name in names if not OF_FFMPEG.fullmatch(name))
    gpl = GPL.format(names=" and ".join(name for name in names if name in OF_GPL))
    return {
        "ffmpeg": library_meta["libavcodec"]["license"],
        "others": textwrap.fill(", ".join(names), 90).replace("\n", "\n  "),
        "gpl": gpl if OF_GPL & set(names) else "",
    }


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
