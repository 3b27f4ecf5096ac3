"""Search spaces: a function together with the fragments that it unfolds to, lazily."""

from __future__ import annotations

import functools
import math
import operator
import random
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from deep_arch.errors import BadArgument, MissingValues, NotCountable, TooDeep, is_kind, wrong_kind
from deep_arch.language.foreign import as_int
from deep_arch.language.options import same
from deep_arch.language.parts import as_part
from deep_arch.language.program import Program
from deep_arch.language.values import Value
from deep_arch.language.written import Written, is_program
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.deciding import Pick, asking
from deep_arch.spaces.pickling import reduced
from deep_arch.spaces.restricting import Restricting
from deep_arch.spaces.restrictions import Restrictions

if TYPE_CHECKING:
    from deep_arch.counting.counter import Counter
    from deep_arch.language.by_value import Origin
    from deep_arch.language.parts import Part

MOST_ATTEMPTS = 1000
"""Draws after which recursion within a limit is taken for one that cannot end."""

Seed = int | random.Random | None


class SearchSpace(Restricting):
    """A function together with the fragments that it unfolds to, lazily; see `space`.

    Attributes:
        program: what the function has unfolded to so far, shared with every sub-space.
        restrictions: what `fix`, `where`, `limit` and `discretize` leave open of it.
        arrived: as what it came, where it came by value from a program that holds it; else None.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.program = Program(fn)
        self.restrictions = Restrictions()
        self.arrived: tuple[Origin, bytes] | None = None
        self._counts: Counter | None = None
        self._decided: tuple[Architecture, tuple[str, ...], tuple[Any, ...]] | None = None
        functools.update_wrapper(self, fn, updated=())  # attributes of a callable object are its own

    def __call__(self, *values: Value) -> Any:
        """Compose the space's function into the one that is running, as a part of it."""
        if not all(is_kind(value, Value) for value in values):
            raise BadArgument(
                f"{self.name}: a space is called on values, inside another space's function.\n  Got {values!r}.\n"
                f"  For an architecture write {self.name}.sample(seed=0)."
            )
        if self.restrictions:
            raise BadArgument(
                f"{self.name}: only a whole space can be composed into another.\n  Got the sub-space {self!r}.\n"
                "  Compose the whole space, and restrict the result with fix, where, limit or discretize."
            )
        return self.program.run(values)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self.program.input_names

    # --- states ------------------------------------------------------------------------------------------------

    def start(self) -> Architecture:
        """Return the architecture with nothing assigned."""
        return Architecture(self, self.replay({}))

    def sample(self, seed: Seed = None, uniform: str = "choices") -> Architecture:
        """Return an architecture drawn at random.

        Args:
            seed: an int, or a `random.Random` to draw from; None draws afresh each time. No global random state
                is read or moved.
            uniform: over the "choices", each hyperparameter from its own domain as it is reached, or over the
                "architectures", each equally likely.

        Raises:
            NotCountable: uniform over the architectures of an infinite space.
            TooDeep: no architecture within the limit was found.
        """
        rng = _generator(seed)
        if uniform == "architectures":
            return self.at(self._counter().draw(rng))
        if uniform != "choices":
            raise BadArgument(f"sample: uniform is 'choices' or 'architectures'.\n  Got {uniform!r}.")
        for attempt in range(MOST_ATTEMPTS):
            try:
                return Architecture(self, self.unfold(lambda h, _address, _frame: h.draw(rng)))
            except TooDeep:  # a choice that several parts share let one of them end, and another not
                if self.restrictions.deepest is None or attempt == MOST_ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def at(self, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture with exactly these values.

        Raises:
            MissingValues: a hyperparameter that is reached has no value.
            UnreachedAddress: an address of the space that these values do not lead to.
            UnknownAddress: an address that the space does not have.
            ValueOutsideDomain: a hyperparameter cannot take its value, or is at its hole; see `partial`.
        """
        architecture = self.proposed(values)
        if holes := architecture.holes:
            raise self.at_hole(holes[0])
        return architecture

    def partial(self, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture with these values, open where they say nothing; a choice may be at its hole.

        It is that of `start` with each of them assigned, in one go.

        Raises:
            UnreachedAddress, UnknownAddress, ValueOutsideDomain: see `at`.
            MissingValues: a value is given whose domain depends on a hyperparameter that has none.

        Example:
            >>> import deep_arch as da
            >>> from deep_arch import ops
            >>> @da.rule
            ... def expr():
            ...     parts = {"leaf": ops.ReLU, "pair": lambda x: ops.Add()(expr()(x), expr()(x))}
            ...     return da.or_(parts, hole=ops.Identity)
            >>> net = da.space(lambda x: expr()(x))
            >>> state = net.partial({"expr/or.which": "pair", "expr/or[pair]/expr/or.which": "leaf"})
            >>> [point.address for point in state.unassigned]
            ['expr/or[pair]/expr_1/or.which']
            >>> state.completed().holes
            ('expr/or[pair]/expr_1/or.which',)
        """
        return Architecture(self, self.replay(values))

    def proposed(self, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture with exactly these values, as `at` does, where choices may be at their holes.

        Searchers propose such, which stand for all that may come in place of the holes; see `Architecture.completed`.

        Raises:
            MissingValues, UnreachedAddress, UnknownAddress, ValueOutsideDomain: see `at`.
        """
        decided = self._just_decided(values)
        if decided is not None:
            return decided
        architecture = Architecture(self, self.replay(values))
        if missing := architecture.unassigned:
            point = missing[0]
            raise MissingValues(
                f"{point.address}: has no value; it must be {point.domain}.\n"
                f"  Got values for {len(values)} hyperparameters, and none for {len(missing)} that they lead to.\n"
                f"  Add the value, or start with {self.name}.start() and assign step by step."
            )
        return architecture

    def _just_decided(self, values: object) -> Architecture | None:
        """Return the architecture that `decide` gave last, if these are its values: a search asks for it next."""
        decided = self._decided
        if decided is None or decided[0].values is not values:
            return None
        architecture, addresses, chosen = decided
        found = architecture.values
        same_values = len(found) == len(chosen) and all(map(operator.is_, found.values(), chosen))
        is_whole = not architecture._unfolding.open  # pyright: ignore[reportPrivateUsage]
        return architecture if is_whole and same_values and tuple(found) == addresses else None

    def decide(self, pick: Pick) -> Architecture:
        """Return the architecture that `pick` decides: it is asked for each hyperparameter once it is reached.

        Args:
            pick: called with a `ChoicePoint`; returns a value of `point.domain`, which is the domain as `limit` and
                `discretize` leave it. `point.values` holds what was decided so far, and what `fix` decided; it grows
                afterwards, so what keeps it copies it. What `fix` decides is not asked for, nor what `where` leaves
                open, which stays so.

        Raises:
            ValueOutsideDomain: `pick` returned what is not in the domain.
            TooDeep: what it decided lets no recursion end within the space's limit.

        Example:
            >>> import deep_arch as da
            >>> from deep_arch import ops
            >>> @da.space
            ... def net(x):
            ...     return da.repeat(lambda: ops.Dense(units=da.choice([8, 16, 32])), da.integer(1, 3))(x)
            >>> def pick(point):
            ...     return 2 if point.name == "repeat.times" else point.domain.options[len(point.values)]
            >>> net.decide(pick).values
            {'repeat.times': 2, 'repeat[0]/dense.units': 16, 'repeat[1]/dense.units': 32}
        """
        if not callable(pick):
            mend = "Write decide(lambda point: point.domain.draw(rng))."
            raise wrong_kind(f"{self.name}.decide", "a function of a choice point", pick, mend)
        architecture = Architecture(self, self.unfold(asking(pick, self.restrictions.fixed)))
        values = architecture.values
        self._decided = architecture, tuple(values), tuple(values.values())
        return architecture

    # --- the space as a whole ------------------------------------------------------------------------------------

    def size(self) -> int | float:
        """Return the number of architectures, exactly, without enumerating; `math.inf` for an infinite space.

        Raises:
            NotCountable: functions that nest without end and are not decorated with `@da.rule`.
        """
        return self._counter().size()

    def _counter(self) -> Counter:
        if self._counts is None:
            from deep_arch.counting.counter import Counter

            self._counts = Counter(self.program, self.restrictions)
        return self._counts

    def enumerate(self) -> Iterator[Architecture]:
        """Return an iterator of every architecture, once each, in the order of the domains.

        Raises:
            NotCountable: a hyperparameter is real. A space of infinite recursion is enumerated without end.
        """
        from deep_arch.spaces.enumeration import architectures

        return architectures(self)

    def nth(self, index: int) -> Architecture:
        """Return the architecture number `index`, from 0 to `size()` - 1: each has one number, in no useful order.

        It takes about as long as drawing one uniformly, whatever the size, so that an enumeration of a space of
        any size can begin anywhere, or go in any order.

        Raises:
            NotCountable: the space is infinite; see `limit` and `discretize`.
            BadArgument: `index` is no int of that range.
        """
        size = self.size()
        if size == math.inf:
            raise NotCountable(
                f"{self.name}: only the architectures of a finite space are numbered.\n  Got an infinite space.\n"
                "  Limit recursion with space.limit(max_depth=...), and turn real numbers into a grid with "
                "space.discretize(levels=...)."
            )
        number = as_int(index)
        if number is None or not 0 <= number < size:
            raise wrong_kind(f"{self.name}.nth", f"an int from 0 to {int(size) - 1}", index, "See space.size().")
        return self.at(self._counter().at(number))

    def neighbours(self, architecture: Architecture, seed: Seed = 0) -> Iterator[Architecture]:
        """Yield the architectures one step away: one value changed to a neighbouring value of its domain.

        Values that stay valid are kept; what is newly reached is drawn with `seed`.
        """
        if not is_kind(architecture, Architecture) or architecture.space.program is not self.program:
            raise wrong_kind(
                self.name, "an architecture of this space", architecture, f"Take one from {self.name}.sample(seed=0)."
            )
        return self._neighbours(architecture, _generator(seed))

    def _neighbours(self, architecture: Architecture, rng: random.Random) -> Iterator[Architecture]:
        for address, domain in self.decidable(architecture.values).items():
            for other in domain.neighbours(architecture.values[address]):
                try:
                    changed = self.complete({**architecture.values, address: other}, rng)
                except TooDeep:
                    continue
                if address in changed.values and same(changed.values[address], other):
                    yield changed

    def render(self, path: str | PathLike[str] | None = None, **options: Any) -> str:
        """Draw the space with nothing assigned; see `Architecture.render`."""
        return self.start().render(path, **options)

    def summary(self) -> str:
        """Return a table of the hyperparameters that are reached with nothing assigned, and the size."""
        from deep_arch.measures.summaries import summarize_space

        start = self.start()
        return summarize_space(self.name, self.inputs, start.unassigned, start.waiting, self.size, start.graph)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from deep_arch.visualization.dot import mimebundle

        return mimebundle(self)

    def _as_part(self) -> Part:
        """Return what the space is as an argument of a recorded call."""
        from deep_arch.symbolic.networks import Network

        written = self.program.fn.program if isinstance(self.program.fn, Written) and not self.restrictions else None
        return Network(self) if (part := as_part(written)) is None else part

    def __deepcopy__(self, memo: object) -> SearchSpace:
        return self  # a space never changes

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def __repr__(self) -> str:
        return f"<space {', '.join(filter(None, [self.name, str(self.restrictions)]))}>"


def _generator(seed: Any) -> random.Random:
    if isinstance(seed, random.Random):
        return seed
    if seed is None:
        return random.Random()
    number = as_int(seed)
    if number is None:
        raise wrong_kind("seed", "an int, a random.Random or None", seed, "Write seed=0 for the same draws each time.")
    return random.Random(number)


def space(fn: Any) -> SearchSpace:
    """Make a function the search space that it describes, or a program of recorded calls the space that it is.

    The function's parameters are the inputs, by name; it composes modules and returns the outputs. A program (see
    `symbolize`) has no inputs, and its hyperparameters have the paths to them as addresses; a function without
    parameters may return one.

    Warns:
        SharedDecision: an unnamed hyperparameter stands three times or more in one list, where it is decided once.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> @da.space
        ... def net(x):
        ...     x = ops.Conv2D(filters=da.choice([64, 128]), kernel_size=3)(x)
        ...     return da.optional(lambda: ops.Dropout(rate=da.choice([0.25, 0.5])))(x)
        >>> net.size()
        6
        >>> net.sample(seed=1).values
        {'conv2d.filters': 64, 'optional.use': True, 'optional/dropout.rate': 0.5}
    """
    return SearchSpace(Written(fn) if is_program(fn) else fn)
