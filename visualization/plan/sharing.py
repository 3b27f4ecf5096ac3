"""Which hyperparameters are drawn apart, and which lines lead from them.

One that a single argument uses is a line of text in its module. One that several use, or that others are
computed from, is drawn once, with a line to each that depends on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from deep_arch.measures.formulas import is_unnamed
from deep_arch.spaces.graph import Argument

MOST_LINES: Final = 6
"""Lines from one hyperparameter beyond which they would cover the graph; the names in the modules still tell."""


@dataclass(frozen=True, slots=True)
class User:
    """Something that takes hyperparameters: a module, an expanded substitution, or the config.

    Attributes:
        target: what is drawn for it.
        arguments: the names and hyperparameters that it takes.
    """

    target: str
    arguments: tuple[tuple[str, Argument], ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """A hyperparameter drawn apart.

    Attributes:
        parents: the addresses of what it is computed from.
        targets: what uses it or something computed from it without being drawn apart.
    """

    argument: Argument
    parents: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def has_lines(self) -> bool:
        """Whether lines lead to what uses it."""
        return len(self.targets) <= MOST_LINES


def _leaves(argument: Argument) -> Iterator[Argument]:
    """Yield the named hyperparameters that one is computed from, those of unnamed steps included."""
    for parent in argument.parents:
        if isinstance(parent, Argument):
            if is_unnamed(parent):
                yield from _leaves(parent)
            else:
                yield parent


def _ancestors(argument: Argument) -> Iterator[Argument]:
    for leaf in _leaves(argument):
        yield leaf
        yield from _ancestors(leaf)


def find_apart(users: Sequence[User]) -> dict[str, Apart]:
    """Return the hyperparameters that are drawn apart, by address, parents before what is computed from them."""
    uses = Counter(argument.address for user in users for _, argument in user.arguments)
    found: dict[str, Argument] = {}
    for user in users:
        for _, argument in user.arguments:
            found.update((a.address, a) for a in reversed(list(_ancestors(argument))) if a.address not in found)
            if uses[argument.address] > 1 and not argument.needs_shapes:
                found.setdefault(argument.address, argument)
    targets: dict[str, list[str]] = {address: [] for address in found}
    for user in users:
        for _, argument in user.arguments:
            for source in [argument.address] if argument.address in found else _parents(argument):
                targets[source].append(user.target)
    return {a: Apart(argument, _parents(argument), _unique(targets[a])) for a, argument in found.items()}


def _parents(argument: Argument) -> tuple[str, ...]:
    return _unique(leaf.address for leaf in _leaves(argument))


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
