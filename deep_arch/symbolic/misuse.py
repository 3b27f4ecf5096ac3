"""Misuse of recorded calls: what they are not given, and what they are taken for though nothing is made yet."""

from __future__ import annotations

from typing import Any, Final

from deep_arch.errors import BadArgument, HyperparameterMisuse
from deep_arch.language.values import Value

_INSTEAD: Final = {"OneOf": "da.choice", "ManyOf": "da.subset, or da.permutation", "Float": "da.real"}
"""What hyperparameters of PyGlove are called here."""


def check_ours(value: Any, where: str) -> None:
    """Check that a value is no hyperparameter of PyGlove, which nothing here would decide.

    Raises:
        BadArgument: it is one.
    """
    kind = value.__class__
    if str(kind.__module__).startswith("pyglove.core.hyper"):
        raise BadArgument(
            f"{where}: expected hyperparameters of deep_arch.\n  Got {value!r} ({kind.__name__} of PyGlove).\n"
            f"  Write {_INSTEAD.get(kind.__name__, 'da.choice, da.real or da.subset')}."
        )


def check_argument(value: Any, name: str) -> None:
    """Check that a value may be among the arguments of a recorded call.

    Raises:
        BadArgument: it is a value of a network, or a hyperparameter of PyGlove.
    """
    if isinstance(value, Value):
        raise BadArgument(
            f"{name}: a recorded call is given arguments, not values of a network.\n  Got {value!r}.\n"
            f"  To call what it makes on values, make a module of the class: da.wrap({name})(...)(x)."
        )
    check_ours(value, name)


def never_changes(name: str, attribute: str, got: str, way: str) -> BadArgument:
    """Return the error for a recorded call that is to change."""
    return BadArgument(f"{name}.{attribute}: a recorded call never changes.\n  Got {got}.\n  Write other = {way}.")


def made_nothing(name: str, what: str, got: str, mend: str) -> HyperparameterMisuse:
    """Return the error for a recorded call that is taken for the object."""
    return HyperparameterMisuse(
        f"{name}: a recorded call has made nothing yet that could {what}.\n  Got {got}.\n"
        f"  Make the object first, with da.build(program); {mend}."
    )
