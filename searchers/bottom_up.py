"""Bottom-up enumeration: programs by size, and of those that give equal answers on examples only the first."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from deep_arch.errors import is_kind, wrong_kind
from deep_arch.grammars.productions import Grammar, meaning_of
from deep_arch.grammars.terms import Term
from deep_arch.language.domains import Domain, Real
from deep_arch.language.modules import Module
from deep_arch.searchers.parts.answers import Column
from deep_arch.searchers.parts.banks import Effort, FullError, Store
from deep_arch.searchers.parts.checks import check_count, check_function
from deep_arch.searchers.parts.exact import exact
from deep_arch.searchers.parts.replayed import Replayed
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import Values


class Program:
    """A program, and what it does.

    Attributes:
        size: how many applications of rules it has.
        answers: one for each example.
    """

    __slots__ = ("_space", "_term", "answers", "size")

    def __init__(self, size: int, answers: Column, term: Term, space: SearchSpace) -> None:
        self.size, self.answers = size, answers
        self._term, self._space = term, space

    @property
    def values(self) -> Values:
        """Address to value; for what changes no answer, such as configuration, the first value."""
        chosen = self._term.values()

        def pick(point: ChoicePoint) -> Any:
            return chosen[point.address] if point.address in chosen else _first(point.domain)

        return self._space.decide(pick).values

    def __repr__(self) -> str:
        return f"<program of size {self.size}: {dict(self.values)}>"


def _first(domain: Domain) -> Any:
    return domain.at_unit(0.0) if isinstance(domain, Real) else domain.at(0)


class DistinctPrograms:
    """The programs of a space that tell each other apart on some examples, smallest first.

    Any grammar of rules can be enumerated: of several rules, with arguments, recursive or not, with choices of every
    kind in its productions, within `limit` and `fix`. Operations are run as `python_backend` runs them, on the answers
    of the terms that they are called on, so that a term costs one operation, and one that gives what another gave
    before is dropped with all that it would be part of. Answers are compared exactly: 1, 1.0 and True differ. Dropped
    as well is what has no answer on some example, where it raises an ArithmeticError, a LookupError or a ValueError.

    Terms in bodies of `da.map_` and `da.scan` are compared on the frames and states that they meet, and only on these,
    so that no program is lost that gives something new. Only of a scan whose bodies meet more than 5,000 different rows
    of states and frames some may be lost.

    Args:
        space: what programs are made of. A rule gets all that it reads as inputs.
        inputs: the examples: each a value, or where the space has several inputs a tuple, or a mapping by their names.
            Operations must not change them, nor what others gave.
        merge: whether of programs that give equal answers only the first is kept.
        most: how many terms may be held at once, at some 300 bytes each with their answers; then the enumeration ends.
        meaning: from an operation, with values for its arguments, to the function that it is, where operations have
            no meaning in plain Python.

    Attributes:
        tried: how many terms were run so far, parts of programs included.
        kept: how many of them are held.

    Raises:
        BadArgument: examples that do not fit the space.
        NotSupported: an operation without a meaning, a rule that reads a value or a choice of what is around it, or
            one use of a rule that is called on several values; when enumerated, as the other errors.
        NotSpecified: what the space leaves open, or shapes decide.
        NotCountable: a choice of too many values, or a rule without an end.

    Example:
        >>> import itertools
        >>> import deep_arch as da
        >>> from deep_arch.searchers import DistinctPrograms
        >>> number = da.wrap(lambda n: lambda x: n)
        >>> add, multiply = da.wrap(lambda: lambda a, b: a + b), da.wrap(lambda: lambda a, b: a * b)
        >>> @da.rule
        ... def term():
        ...     return da.or_({
        ...         "x": lambda x: x,
        ...         "n": lambda x: number(n=da.choice([1, 2]))(x),
        ...         "+": lambda x: add()(term()(x), term()(x)),
        ...         "*": lambda x: multiply()(term()(x), term()(x)),
        ...     })
        >>> programs = DistinctPrograms(da.space(lambda x: term()(x)), inputs=[0, 1, 5])
        >>> for program in itertools.islice(programs, 6):
        ...     print(program.size, program.answers, *program.values.values())
        1 (0, 1, 5) x
        1 (1, 1, 1) n 1
        1 (2, 2, 2) n 2
        3 (0, 2, 10) + x x
        3 (1, 2, 6) + x n 1
        3 (2, 3, 7) + x n 2

    References:
        Albarghouthi, Gulwani and Kincaid, Recursive program synthesis (2013), section 4: observational equivalence.
        Li, Zhou, Dong, Zhang and Wang, Efficient bottom-up synthesis for programs with local variables (2024).
    """

    def __init__(
        self,
        space: SearchSpace,
        inputs: Sequence[Any],
        *,
        merge: bool = True,
        most: int | None = 1_000_000,
        meaning: Callable[[Module], Callable[..., Any]] = meaning_of,
    ) -> None:
        self.space: Final = space
        self._columns = _columns(space, inputs)
        self._effort = Effort(merge, most)
        self._store = Store(self._effort)
        self._grammar = Grammar(space, meaning)

    @property
    def tried(self) -> int:
        return self._effort.tried

    @property
    def kept(self) -> int:
        return self._effort.kept

    def __iter__(self) -> Iterator[Program]:
        """Yield the programs."""
        return self._found(None)

    def matching(self, outputs: Sequence[Any]) -> Iterator[Program]:
        """Yield those that give these outputs, which is at most one where they are merged."""
        return self._found(exact(tuple(outputs)))

    def _found(self, wanted: Any) -> Iterator[Program]:
        context, rows = self._store.view(self._columns, lenient=False)
        bank = self._store.bank(self._grammar.root, context)
        size, most = 0, self._grammar.most
        while most is None or size <= most:
            before = self._effort.tried
            try:
                for term in bank.of_size(size):
                    answers = term.answers if rows is None else tuple([term.answers[i] for i in rows])
                    if wanted is None or exact(answers) == wanted:
                        yield Program(size, answers, term, self.space)
                        if wanted is not None and self._effort.merge:
                            return
            except FullError:
                return
            if size > self._grammar.root.largest and self._effort.tried == before and self._store.is_over():
                return
            size += 1


def _columns(space: SearchSpace, inputs: Sequence[Any]) -> list[Column]:
    names = space.inputs
    _check_examples(inputs)
    if len(names) == 1:
        return [tuple(inputs)]
    rows = [_in_order(example, names) for example in inputs]
    return list(zip(*rows, strict=True))


def _check_examples(inputs: object) -> None:
    if not is_kind(inputs, Sequence) or not inputs:
        mend = "Give one value of the space's input at least: without examples all programs give the same."
        raise wrong_kind("inputs", "a list of examples", inputs, mend)


def _in_order(example: Any, names: Sequence[str]) -> Column:
    if is_kind(example, Mapping) and {*example} == {*names}:
        return tuple([example[name] for name in names])
    if is_kind(example, Sequence) and not is_kind(example, str) and len(example) == len(names):
        return tuple(example)
    mend = f"Give it {' and '.join(names)}, in their order or by name."
    raise wrong_kind("inputs", f"each example to have {len(names)} values", example, mend)


class BottomUp(Replayed):
    """Propose programs by size, and of those that give equal answers on examples only the first.

    With `outputs` it proposes what gives these, so that its first proposal solves the task, and then ends. Without, a
    trial can score each program. See `DistinctPrograms` for which spaces it searches, and for the arguments.

    Args:
        inputs: the examples.
        outputs: what a program is to give, one for each example; None to propose all.
        merge, most, meaning: see `DistinctPrograms`.

    Raises:
        BadArgument: arguments of another kind; when started, examples that do not fit the space.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch.searchers import BottomUp
        >>> double, one_less = da.wrap(lambda: lambda x: 2 * x), da.wrap(lambda: lambda x: x - 1)
        >>> @da.rule
        ... def term():
        ...     words = {"2*": double, "-1": one_less}
        ...     return da.or_({"x": lambda x: x, **{w: lambda x, of=of: of()(term()(x)) for w, of in words.items()}})
        >>> search = da.search(da.space(lambda x: term()(x)), BottomUp([1, 2, 5], [1, 5, 17]), trials=1)
        >>> for trial in search:
        ...     print(*trial.values.values())
        ...     trial.tell(1.0)
        -1 2* -1 2* x
    """

    def __init__(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any] | None = None,
        *,
        merge: bool = True,
        most: int | None = 1_000_000,
        meaning: Callable[[Module], Callable[..., Any]] = meaning_of,
    ) -> None:
        if most is not None:
            check_count(self, most=most)
        check_function(self, meaning=meaning)
        _check_examples(inputs)
        if outputs is not None and (not is_kind(outputs, Sequence) or len(outputs) != len(inputs)):
            mend = "Give as many as there are examples."
            raise wrong_kind("BottomUp", f"{len(inputs)} outputs, one for each example", outputs, mend)
        self.inputs: Final = inputs
        self.outputs: Final = outputs
        self.merge: Final = merge
        self.most: Final = most
        self.meaning: Final = meaning

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with the smallest programs."""
        super().start(space, rng)
        self.programs = DistinctPrograms(space, self.inputs, merge=self.merge, most=self.most, meaning=self.meaning)
        self._found = iter(self.programs) if self.outputs is None else self.programs.matching(self.outputs)

    def following(self) -> Values | None:
        """Return the next program, or None after the last."""
        program = next(self._found, None)
        return None if program is None else program.values
