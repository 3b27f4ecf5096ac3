"""Copies: substitutions that compose several functions, or one several times, each copy with parts of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deep_arch.errors import InvalidDomain, ValueOutsideDomain
from deep_arch.language.applying import Fn, apply, check_fn
from deep_arch.language.domains import Choice, Integer
from deep_arch.language.fragment import Fragment
from deep_arch.language.hyperparameters import Dependent, Independent
from deep_arch.language.program import Program
from deep_arch.language.substitution import Substitution, where_is
from deep_arch.language.values import Value


class _Copy(Substitution):
    """One of several copies of a function in the unfolding of a substitution.

    Copies of one function share what it unfolds to; their hyperparameters and parameters are their own.
    """

    def __init__(self, of: Substitution, fn: Fn, index: Any, memories: dict[int, dict[Any, Fragment]]) -> None:
        super().__init__({}, default_name=f"[{index}]")
        self._of, self._fn, self._memories = of, fn, memories
        self.variables = of.variables

    def lexical_levels(self, fragment: Fragment) -> int:
        return fragment.levels_to(self._of.owner, self)

    def enclosing(self, program: Program) -> Fragment:
        return self._of.enclosing(program)

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        return apply(self._fn, inputs, where_is(self))


class Parts(Substitution):
    """A substitution that composes copies of functions."""

    lead = "/"

    def __init__(
        self, fns: Sequence[Fn], arguments: Mapping[str, Any], name: str | None, default_name: str = ""
    ) -> None:
        self._fns = fns
        self._shared: list[dict[int, dict[Any, Fragment]]] = [{} for _ in fns]
        super().__init__(arguments, name, default_name)
        for fn in fns:
            check_fn(fn, where_is(self))

    def copy_of(self, index: Any, inputs: Sequence[Value], of: int | None = None) -> Value:
        position: int = index if of is None else of
        return _Copy(self, self._fns[position], index, self._shared[position])(*inputs)


class Copies(Parts):
    """A substitution that composes `times` copies of one function."""

    def __init__(self, fn: Fn, times: Any, name: str | None) -> None:
        super().__init__([fn], {"times": times}, name)
        check_times(self, self.arguments["times"])

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        check_value(arguments["times"], address)
        return ""


def check_times(module: Substitution, times: Any) -> None:
    """Raise InvalidDomain if a plain `times`, or one that it could become, is not an int of at least 0."""
    domain = times.domain if isinstance(times, Independent) else None
    if isinstance(times, Dependent) or (isinstance(times, Independent) and times.depending is not None):
        return  # looked at where it has a value
    if isinstance(domain, Integer) and domain.low >= 0:
        return
    values = domain.values() if isinstance(domain, Choice) else [domain or times]
    for value in values:
        if type(value) is not int or value < 0:
            raise InvalidDomain(
                f"{where_is(module)}: times must be an int of at least 0, or a hyperparameter of such.\n"
                f"  Got {value!r} ({type(value).__name__}).\n  Use da.choice([1, 2, 4]) or da.integer(0, 3)."
            )


def check_value(times: Any, address: str) -> None:
    if type(times) is not int or times < 0:
        raise ValueOutsideDomain(
            f"{address}.times: {times!r} is not an int of at least 0.\n"
            f"  Got {times!r} ({type(times).__name__}) from the hyperparameters that it depends on.\n"
            "  Change their domains or the function that computes it; // divides into ints."
        )
