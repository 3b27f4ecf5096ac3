"""Selection: structure that shapes decide.

A graph is made before shapes are known, so it holds every alternative, and a call of `Select` that takes them all. When
shapes are known, what it selects takes its place, and what nothing else needs is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from deep_arch.errors import ArityMismatch, InvalidDomain, TooDeep
from deep_arch.language.applying import Fn, apply, check_fn, several
from deep_arch.language.copies import Parts
from deep_arch.language.fragment import Fragment, current_fragment
from deep_arch.language.modules import Module
from deep_arch.language.substitution import Substitution, where_is
from deep_arch.language.values import Value


class Select(Module):
    """The one of its inputs that `which` names among `options`."""

    def __init__(self, which: Any, options: Iterable[Any]) -> None:
        super().__init__({"which": which, "options": tuple(options)})

    def position(self, address: str) -> int:
        """Return the position of the input that it gives, where `which` has a value.

        Raises:
            InvalidDomain: it names none of the options.
        """
        which, options = self.arguments["which"], self.arguments["options"]
        if options == (False, True) and options[0] is False:
            return int(bool(which))  # whatever is true, as where no shape decides
        for position, option in enumerate(options):
            if option == which and isinstance(which, bool) == isinstance(option, bool):  # 1 is not True
                return position
        raise InvalidDomain(
            f"{address}.which: {which!r} names none of the alternatives {options!r}.\n"
            f"  Got {which!r} ({type(which).__name__}) from the shapes that it is computed from.\n"
            "  Let its function give one of these: for a list of functions a position from 0, for a dict a key."
        )


def select(which: Any, alternatives: Mapping[Any, Sequence[Value]], where: str) -> list[Value]:
    """Return for each position the value there of the alternative that `which` names when shapes are known.

    Raises:
        ArityMismatch: the alternatives have not as many values as one another.
    """
    lengths = [len(values) for values in alternatives.values()]
    if len(set(lengths)) > 1:
        raise ArityMismatch(
            f"{where}: expected as many values from each of the alternatives.\n"
            f"  Got {', '.join(f'{n} from {key!r}' for key, n in zip(alternatives, lengths, strict=True))}.\n"
            "  Let every function return as many values as the others."
        )
    return [Select(which, alternatives)(*values) for values in zip(*alternatives.values(), strict=True)]


class OptionalByShape(Substitution):
    """`fn` or the identity, as a formula of shapes says; see `optional`."""

    def __init__(self, fn: Fn, use: Any, name: str | None = None) -> None:
        self._fn, self._use = fn, use
        super().__init__({}, name, "optional")
        check_fn(fn, where_is(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        used = several(apply(self._fn, inputs, where_is(self)), len(inputs), where_is(self))
        _check_end(current_fragment(), where_is(self))
        return select(self._use, {False: inputs, True: used}, where_is(self))


class OrByShape(Parts):
    """One of several functions, as a formula of shapes says; see `or_`."""

    def __init__(self, fns: Mapping[Any, Fn], which: Any, name: str | None = None) -> None:
        self._keys, self._which = tuple(fns), which
        super().__init__([*fns.values()], {}, name, "or")

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        given = {key: self._part(key, inputs, i) for i, key in enumerate(self._keys)}
        return select(self._which, given, where_is(self))

    def _part(self, key: Any, inputs: Sequence[Value], position: int) -> list[Value]:
        result = self.copy_of(key, inputs, position)
        copy: Any = result.fragment.call_at[result.index].module
        _check_end(result.fragment.program.expand(copy, (), len(inputs), where_is(copy)), where_is(self))
        n = copy.count_outputs(len(inputs))
        return [result] if n == 1 else [result[i] for i in range(n)]


_MOST_NESTED: Final = 1_000
"""Functions inside one another; more is taken for recursion that shapes are to end, which they cannot."""


def _check_end(fragment: Fragment | None, where: str) -> None:
    """Raise TooDeep if a function that shapes decide on is part of itself: every alternative is unfolded."""
    if fragment is None:
        return
    around: set[Fragment] = set()
    outer: Fragment | None = fragment
    while outer is not None:
        around.add(outer)
        outer = outer.parent
    rules = [call for call in fragment.calls if call.module.deepens]
    again = any(not around.isdisjoint(call.module.expansions(call.n_inputs).values()) for call in rules)
    if again or fragment.level > _MOST_NESTED:
        raise TooDeep(
            f"{where[:200]}: shapes cannot end a recursion, since the graph is made before they are known.\n"
            f"  Got {'a rule' if again else 'a function'} that is part of itself, as far as shapes decide.\n"
            "  Decide how often by a hyperparameter or a constant, such as da.repeat(fn, da.integer(1, 4))."
        )
