"""Names of submodules from the addresses of modules."""

from __future__ import annotations

import keyword
import unicodedata

from torch import fx, nn

# A submodule named `forward` would take the place of the method.
_RESERVED = frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph()))) | {"self"}


def components(address: str) -> list[str]:
    """Return the parts of an address between slashes, but for slashes in brackets.

    Example:
        >>> components("repeat[1]/or[1/2]/conv2d")
        ['repeat[1]', 'or[1/2]', 'conv2d']
    """
    parts, depth = [""], 0
    for character in address:
        depth += (character == "[") - (character == "]")
        if character == "/" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def identifier(component: str) -> str:
    """Return a Python identifier that reads like one part of an address.

    Example:
        >>> identifier("repeat[1]"), identifier("or[sep 3x3]"), identifier("lambda"), identifier("forward")
        ('repeat_1', 'or_sep_3x3', 'lambda_', 'forward_')
    """
    # Python reads identifiers in this normal form, so that another one would not be found again.
    text = unicodedata.normalize("NFKC", component.removesuffix("]"))
    name = "".join(c if f"a{c}".isidentifier() else "_" for c in text)
    if not name.isidentifier():
        name = f"_{name}"
    return f"{name}_" if name in _RESERVED or keyword.iskeyword(name) else name


class SubmoduleNames:
    """Give each module address its submodule path, and different addresses different paths.

    A name that is taken gets underscores in the order in which addresses are asked for, which is that of the calls.
    """

    def __init__(self) -> None:
        self._paths: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def path(self, address: str) -> str:
        """Return the path of a module's submodule, such as `repeat_1.conv2d`."""
        path = ""
        for component in components(address):
            path = self._paths.get((path, component)) or self._claim(path, component)
        return path

    def _claim(self, parent: str, component: str) -> str:
        path = f"{parent}.{identifier(component)}".removeprefix(".")
        while path in self._taken:
            path += "_"
        self._taken.add(path)
        self._paths[parent, component] = path
        return path
