"""Names of what a backend makes, from the addresses of modules; the same in every backend."""

from __future__ import annotations

import functools
import keyword


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


@functools.lru_cache(maxsize=1 << 16)  # searches name the same parts of many architectures
def identifier(component: str) -> str:
    """Return an identifier of ASCII letters that reads like one part of an address and begins with a letter.

    Every framework takes such names: TensorFlow no others, and torch reads them as attributes.

    Example:
        >>> identifier("repeat[1]"), identifier("or[sep 3x3]"), identifier("lambda"), identifier("_own")
        ('repeat_1', 'or_sep_3x3', 'lambda_', 'm_own')
    """
    text = component.removesuffix("]")
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in text)
    if not name[:1].isalpha():
        name = f"m{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


class ModuleNames:
    """Give each module address a path such as `repeat_1.conv2d`, and different addresses different paths.

    A name that is taken, or reserved, gets underscores in the order in which addresses are asked for, which is that of
    the calls.
    """

    def __init__(self, reserved: frozenset[str] = frozenset()) -> None:
        self._reserved = reserved
        self._paths: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def path(self, address: str) -> str:
        """Return the path of the module at an address."""
        path = ""
        for component in components(address):
            path = self._paths.get((path, component)) or self._claim(path, component)
        return path

    def _claim(self, parent: str, component: str) -> str:
        name = identifier(component)
        path = f"{parent}.{name}".removeprefix(".")
        while path in self._taken or path.rpartition(".")[2] in self._reserved:
            path += "_"
        self._taken.add(path)
        self._paths[parent, component] = path
        return path
