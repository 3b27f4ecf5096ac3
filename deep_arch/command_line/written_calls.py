"""Calls as text: a searcher or a spec with its arguments, read without running anything."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Mapping
from typing import Any

from deep_arch.errors import BadArgument, nearest


def made(text: str, what: str, makers: Mapping[str, Callable[..., Any]], example: str) -> Any:
    """Return what a call in text makes, such as `RegularizedEvolution(population=20)`; parentheses may be left out.

    Args:
        text: the call; its arguments are literals, or calls of the same kind.
        what: is made, for messages.
        makers: what may be called, by name.
        example: of such a text.

    Raises:
        BadArgument: the text is no such call.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise _bad(text, what, text, makers, example) from None
    return _made(tree, text, what, makers, example)


def _made(tree: ast.expr, text: str, what: str, makers: Mapping[str, Callable[..., Any]], example: str) -> Any:
    if isinstance(tree, ast.Name):
        tree = ast.Call(tree, [], [])
    if not isinstance(tree, ast.Call):
        raise _bad(text, what, ast.unparse(tree), makers, example)
    if not isinstance(tree.func, ast.Name) or tree.func.id not in makers:
        raise _bad(text, what, ast.unparse(tree.func), makers, example)

    def argument(value: ast.expr) -> Any:
        if isinstance(value, ast.Name | ast.Call):
            return _made(value, text, what, makers, example)
        try:
            return ast.literal_eval(value)
        except ValueError:
            raise _bad(text, what, ast.unparse(value), makers, example) from None

    named = {keyword.arg: argument(keyword.value) for keyword in tree.keywords if keyword.arg is not None}
    return makers[tree.func.id](*map(argument, tree.args), **named)


def classes(module: types.ModuleType, base: type) -> dict[str, Callable[..., Any]]:
    """Return the classes of a kind that a module has, by name."""
    members = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    return {name: value for name, value in members.items() if issubclass(value, base) and value is not base}


def _bad(text: str, what: str, part: str, makers: Mapping[str, Any], example: str) -> BadArgument:
    return BadArgument(
        f"{what}: expected one of {', '.join(sorted(makers))}, with arguments that are literals.\n"
        f"  Got {part!r}{'' if part == text else f' in {text!r}'}.\n  Write {example}.{nearest(part, makers)}"
    )
