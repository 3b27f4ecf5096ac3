"""Depending domains: bounds, steps and options that are hyperparameters themselves."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import DeepArchError, InvalidDomain
from deep_arch.language.domains import Domain
from deep_arch.language.options import listed

if TYPE_CHECKING:
    from deep_arch.language.hyperparameters import Independent

_MOST: Final = 100_000
"""Domains that are remembered; where parents are real numbers there is no end of them."""


class Depending:
    """What stands for the domain of a hyperparameter until what it depends on has values; it is none itself.

    Attributes:
        kind: the class of the domain that it becomes.
        parents: what is given to `make`: hyperparameters and plain values.
        written: the options as they were written, where they were listed.
        part: what the hyperparameter is in a program, once that was asked: see `Independent`.
    """

    __slots__ = ("_make", "_memory", "_narrowed", "kind", "parents", "part", "written")

    def __init__(
        self,
        kind: type[Domain],
        make: Callable[..., Domain],
        parents: Sequence[Any],
        written: Iterable[Any] | None = None,
    ) -> None:
        self.kind, self.parents = kind, tuple(parents)
        self.written = None if written is None else tuple(written)
        self.part: Any = None
        self._make = make
        self._memory: dict[Any, Domain] = {}
        self._narrowed: dict[Domain, Independent] = {}

    def of(self, parents: Sequence[Any]) -> Depending:
        """Return what stands for the same domain of other parents."""
        return Depending(self.kind, self._make, parents)

    def at(self, arguments: Sequence[Any], where: str = "") -> Domain:
        """Return the domain at the parents' values, the same one for equal values.

        Args:
            arguments: one value for each of `parents`.
            where: the address, for the error.

        Raises:
            InvalidDomain: there is none at these values, such as from 1 to 0.
        """
        key = tuple([_key(argument) for argument in arguments])
        domain = self._memory.get(key)
        if domain is None:
            domain = self._made(arguments, where)
            if len(self._memory) >= _MOST:
                self._memory.clear()
                self._narrowed.clear()
            domain = self._memory.setdefault(key, domain)  # another thread may have been quicker
        return domain

    def _made(self, arguments: Sequence[Any], where: str) -> Domain:
        try:
            return self._make(*arguments)
        except DeepArchError as error:
            found = zip(self.parents, arguments, strict=True)
            given = [f"{text(p)} = {v!r}" for p, v in found if p is not v]
            raise InvalidDomain(
                f"{where or self.kind.word}: is to be {self}, which has no value here.\n"
                f"  Got {', '.join(given)}, where {str(error).splitlines()[0]}\n"
                "  Let it have a value wherever it is reached: change what it depends on, bound it with "
                "da.dependent(max, 1, n), or make it inside da.optional, da.or_ or da.substitute."
            ) from error

    def narrowed(self, hyperparameter: Independent, domain: Domain) -> Independent:
        """Return the hyperparameter that has this for its domain, with the domain at some values."""
        found = self._narrowed.get(domain)
        if found is None:
            found = self._narrowed.setdefault(domain, hyperparameter.narrowed(domain))
        return found

    def __str__(self) -> str:
        return self.kind.worded(*[text(parent) for parent in self.parents])

    def __repr__(self) -> str:
        return f"<{self}>"


def text(parent: Any) -> str:
    """Return what a hyperparameter or plain value is called in words."""
    from deep_arch.language.hyperparameters import Hyperparameter  # late: they are made with domains

    if isinstance(parent, Hyperparameter):
        return parent.text
    return listed(parent) if isinstance(parent, tuple) else str(parent)  # pyright: ignore[reportUnknownArgumentType]


def _key(value: Any) -> Any:
    """Return what tells values apart, by type too, also inside lists and tuples."""
    kind = value.__class__
    if kind in (tuple, list):
        return kind, tuple([_key(item) for item in value])
    try:
        hash(value)
    except TypeError:
        try:
            return kind, pickle.dumps(value)
        except Exception:  # such as a dict of lambdas, which the domain keeps alive
            return kind, id(value)
    return kind, value
