"""References of docstrings, such as :func:`load`, as links of the site."""

from __future__ import annotations

import re
from typing import Any

from griffe import AliasResolutionError, Extension, Module, NameResolutionError, Object

ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`(~?)([\w.]+)`")


class Roles(Extension):
    """Before docstrings are read as Markdown, which knows no roles."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        """Rewrite the docstrings of a package that is loaded."""
        rewrite(pkg)


def rewrite(thing: Object) -> None:
    """Rewrite the docstring of a module, class or function, and of all that is in it."""
    if thing.docstring is not None:
        text = thing.docstring.value
        thing.docstring.value = ROLE.sub(lambda found: link(thing, *found.groups()), text)
    for member in thing.members.values():
        if not member.is_alias:
            rewrite(member)


def link(thing: Object, short: str, name: str) -> str:
    """Give a name as a link to where the site describes it; as code alone where it does not."""
    shown = name.rpartition(".")[2] if short else name
    if name.startswith("disentone."):
        path = name
    else:
        try:
            path = thing.resolve(name)
        except (NameResolutionError, AliasResolutionError):
            return f"`{shown}`"
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
