"""Parsing: from a term to the architecture that it is; see `parse`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

from deep_arch.errors import UnreadableTerm, ValueOutsideDomain, is_kind, nearest, wrong_kind
from deep_arch.language.domains import REJECTED, Domain
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.values import UNSET
from deep_arch.programs.reading import Argument, Read, Reader, unreadable
from deep_arch.programs.terms import Scopes, alternatives_of, is_called, short_name, word, written
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.frames import Frame
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.unfolding import unfold

_MOST: Final = 12
"""Productions that a message lists."""


def parse(text: str, space: SearchSpace) -> Architecture:
    """Return the architecture of a space that a term stands for, as `text` writes it.

    Blanks, line breaks and what stands in braces are passed over. A name of an argument is so much of the end of its
    address as tells it from others of the same term.

    Args:
        text: the term; a choice at `?` stays open, so that the architecture is partial.
        space: whose productions and arguments it has.

    Raises:
        UnreadableTerm: it is no term of the space: the message shows where, and what was expected.
        BadArgument: `text` is no text, or `space` no space.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> @da.rule
        ... def expr():
        ...     return da.or_({"Sum": lambda x: ops.Add()(expr()(x), expr()(x)),
        ...                    "Scale": lambda: ops.Scale(initial=da.choice([1, 2]))})
        >>> net = da.space(lambda x: expr()(x))
        >>> da.parse("Sum(Scale(initial=1), ?)", net).values
        {'expr/or.which': 'Sum', 'expr/or[Sum]/expr/or.which': 'Scale', 'expr/or[Sum]/expr/or[Scale]/scale.initial': 1}
        >>> da.parse("Sum(Scale(initial=1), Skale(initial=2))", net)
        Traceback (most recent call last):
        deep_arch.errors.UnreadableTerm: parse, column 23: expected one of Sum, Scale.
            Sum(Scale(initial=1), Skale(initial=2))
                                  ^
          Got Skale for expr/or[Sum]/expr_1/or.which.
          Write one of these.  Did you mean 'Scale'?
    """
    if not is_kind(text, str):
        raise wrong_kind("parse", "a term as a text", text, "Write da.parse('Sum(Speed, Angle)', space).")
    if not is_kind(space, SearchSpace):
        raise wrong_kind("parse", "the space of the term", space, "Write da.parse(text, space).")
    return _Binding(text, space).architecture()


class _Binding:
    """A term, whose parts and arguments are taken one by one by the choices of an unfolding."""

    def __init__(self, text: str, space: SearchSpace) -> None:
        self._text, self._space = text, space
        self._scopes = Scopes(Reader(text).read())
        self._values: dict[str, Any] = {}
        self._places: dict[str, int] = {}
        self._asked: dict[int, dict[str, tuple[str, Domain]]] = {}  # of each term, name to address and domain
        self._taken: dict[int, int] = {}  # how many of the parts of a term
        self._used: set[int] = set()  # arguments

    def architecture(self) -> Architecture:
        unfold(self._space.program, self._choose)  # the whole space's, which is what `text` wrote by
        self._check_all_taken()
        try:
            made = Architecture(self._space, self._space.replay(self._values, required=()))
        except ValueOutsideDomain as error:
            raise self._outside(error) from error
        for point in made.unassigned:
            if point.address not in self._places:
                raise self._lacks(point.address, point.domain)
        return made

    def _choose(self, hyperparameter: Independent, address: str, frame: Frame) -> Any:
        if address in self._values or address in self._places:  # an open one is asked for again and again
            return self._values.get(address, UNSET)
        term, name = self._scopes.around(address)
        alternatives = alternatives_of(hyperparameter, frame)
        if alternatives is None:
            self._asked.setdefault(id(term), {})[name] = address, hyperparameter.domain
            argument = self._argument(term, name)
            return UNSET if argument is None else self._value(address, hyperparameter.domain, argument)
        part = self._part(term, hyperparameter.domain, address)
        value = self._value(address, hyperparameter.domain, part)
        self._scopes.enter(alternatives, value, part)
        return value

    def _argument(self, term: Read, name: str) -> Argument | None:
        for argument in term.arguments:
            if id(argument) not in self._used and is_called(name, argument.name):
                self._used.add(id(argument))
                return argument
        return None

    def _part(self, term: Read, domain: Domain, address: str) -> Read:
        n = self._taken.get(id(term), 0)
        if n == len(term.parts):
            missing = f"expected one more part, {_listed(domain)}"
            at = term.end if term is self._scopes.root else max(0, term.end - 1)
            mend = f"Add one for {address}, or ? to leave it open."
            raise unreadable(self._text, at, missing, f"{n} of {self._said(term)}", mend)
        self._taken[id(term)] = n + 1
        return term.parts[n]

    def _value(self, address: str, domain: Domain, read: Read | Argument) -> Any:
        self._places[address] = read.start
        if read.value is UNSET:
            return UNSET
        value = domain.accept(read.value)
        if value is REJECTED:
            value = domain.decode(read.value)
        if value is REJECTED:
            raise self._no_value(address, domain, read)
        self._values[address] = value
        return value

    # --- what does not fit -------------------------------------------------------------------------------------------

    def _no_value(self, address: str, domain: Domain, read: Read | Argument) -> UnreadableTerm:
        got = _as_written(read.value)
        mend = "Write one of these." + nearest(got, _values(domain, 1000))
        return unreadable(self._text, read.start, f"expected {_listed(domain)}", f"{got} for {address}", mend)

    def _lacks(self, address: str, domain: Domain) -> UnreadableTerm:
        term, name = self._scopes.around(address)
        short = short_name(name, self._asked.get(id(term), {}))
        expected = f"expected {short}=, which is {_listed(domain)}, in {self._said(term)}"
        return unreadable(
            self._text, term.start, expected, "no such argument", f"Add it, or {short}=? to leave {address} open."
        )

    def _check_all_taken(self) -> None:
        for term in _within(self._scopes.root):
            for argument in term.arguments:
                if id(argument) not in self._used:
                    raise self._unknown_argument(term, argument)
            n = self._taken.get(id(term), 0)
            if n < len(term.parts):
                raise self._too_many(term, n)

    def _too_many(self, term: Read, n: int) -> UnreadableTerm:
        for address, domain in self._asked.get(id(term), {}).values():
            if address not in self._places:
                return self._lacks(address, domain)
        expected = f"expected at most {n} parts in {self._said(term)}" if n else f"{self._said(term)} has no parts"
        mend = "Take away what is too much, or write another production."
        return unreadable(self._text, term.parts[n].start, expected, f"{len(term.parts)}", mend)

    def _unknown_argument(self, term: Read, argument: Argument) -> UnreadableTerm:
        known = self._asked.get(id(term), {})
        short = [short_name(name, known) for name in known]
        has = f"expected one of {', '.join(short[:_MOST])}" if short else f"{self._said(term)} has no arguments"
        mend = "Each is given once." if short else "Take it away."
        return unreadable(self._text, argument.at, has, f"{argument.name}=", mend + nearest(argument.name, short))

    def _outside(self, error: ValueOutsideDomain) -> Exception:
        """Return the error for what the space has, and its sub-space has not."""
        address = max((a for a in self._places if str(error).startswith(f"{a}: ")), key=len, default=None)
        if address is None:
            return error
        expected = str(error).partition(".\n")[0]
        got = f"a program that is not in {self._space!r}"
        mend = "Parse it in the whole space, or change it."
        return unreadable(self._text, self._places[address], expected, got, mend)

    def _said(self, term: Read) -> str:
        return "the program" if term is self._scopes.root else _as_written(term.value)


def _within(root: Read) -> Iterator[Read]:
    todo = [root]
    while todo:
        term = todo.pop()
        yield term
        todo += reversed(term.parts)


def _as_written(value: Any) -> str:
    return word(value) if isinstance(value, str) else repr(value)


def _values(domain: Domain, most: int) -> Iterable[str]:
    if domain.size == float("inf"):
        return []
    return [written(value, domain) for value in itertools.islice(domain.values(), most)]


def _listed(domain: Domain) -> str:
    """Return what a domain offers, in words."""
    if not hasattr(domain, "options") or domain.size > 1000:
        return str(domain)
    shown = _values(domain, _MOST)
    return f"one of {', '.join(shown)}{', ...' if domain.size > _MOST else ''}"
