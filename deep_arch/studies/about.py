"""What is kept about a study, so that it goes on as what it was begun as, or says what changed."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from deep_arch.errors import StudyError, is_kind
from deep_arch.spaces.describing import changes, description, digest
from deep_arch.spaces.named_spaces import name_of
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.directions import Direction
from deep_arch.studies.searcher import Searcher


def about_study(
    space: SearchSpace, searcher: Searcher, directions: Sequence[Direction], duplicates: str
) -> dict[str, Any]:
    """Return what is kept about a study, as JSON can hold it."""
    lines = description(space)
    return {
        "title": space.name,
        "space": name_of(space),
        "digest": digest(lines),
        "description": lines,
        "searcher": searcher_text(searcher),
        "directions": list(directions),
        "duplicates": duplicates,
    }


def searcher_text(searcher: Searcher) -> str:
    """Return a searcher with its arguments as text, equal for equal ones."""
    known = {name: value for name, value in vars(searcher).items() if name[0] != "_" and name not in ("space", "rng")}
    arguments = inspect.signature(type(searcher)).parameters
    # Those that keep their arguments otherwise are known by all that they show.
    settings = {name: known[name] for name in arguments} if arguments.keys() <= known.keys() else known
    return f"{type(searcher).__name__}({', '.join(f'{name}={_setting(value)}' for name, value in settings.items())})"


def _setting(value: Any) -> str:
    if isinstance(value, Searcher):
        return searcher_text(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_setting, value))}]"  # pyright: ignore[reportUnknownArgumentType]
    if is_kind(value, Mapping):
        return f"{{{', '.join(f'{key}: {_setting(item)}' for key, item in value.items())}}}"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if is_kind(value, functools.partial):
        return f"{_setting(value.func)}({_setting([*value.args, value.keywords])})"
    return getattr(value, "__qualname__", type(value).__qualname__)  # neither of which has an address in memory


def check_same(name: str, where: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise StudyError where a study is to go on as another than it was begun as.

    Args:
        name, where: of the study, and its storage.
        known: what is kept about it.
        given: what it is to go on as.
    """
    if known["digest"] != given["digest"]:
        changed = changes(known["description"], given["description"])
        raise StudyError(
            f"study {name!r} in {where}: expected the space that it was begun with, {known['title']}.\n"
            f"  Got {given['title']}, which is another (- as begun, + as given):\n{changed}\n  {_mend(name)}"
        )
    for what in ("searcher", "directions", "duplicates"):
        if known[what] != given[what]:
            raise StudyError(
                f"study {name!r} in {where}: expected the {what} that it was begun with, {_plain(known[what])}.\n"
                f"  Got {_plain(given[what])}.\n  {_mend(name)}"
            )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _mend(name: str) -> str:
    return f"Go on with what it was, or begin another: name={f'{name}-2'!r}, with first=[...] for the best of this one."
