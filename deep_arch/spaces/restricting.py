"""Restricting: the sub-spaces of a space, in which less is left to decide."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from deep_arch.errors import BadArgument, wrong_kind
from deep_arch.language.foreign import as_int
from deep_arch.language.late_binding import checked
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.depths import ENDLESS
from deep_arch.spaces.excluding import check, exclusions, nothing_ends
from deep_arch.spaces.exclusions import Without
from deep_arch.spaces.fixing import with_fixed
from deep_arch.spaces.replaying import Replaying
from deep_arch.spaces.restrictions import Both, Restrictions

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace


class Restricting(Replaying):
    """What of a search space makes sub-spaces; see `SearchSpace`."""

    def discretize(self, levels: int) -> SearchSpace:
        """Return the sub-space in which a real number is one of `levels`, evenly spaced on its scale, ends included.

        So a space with real numbers is counted, enumerated and drawn from like any other.

        Raises:
            BadArgument: `levels` is no int of at least 2, or this is a grid already.
        """
        if self.restrictions.levels:
            raise wrong_kind(f"{self.name}.discretize", "a space with intervals", self, "Discretize the whole space.")
        number = as_int(levels)
        if number is None or number < 2:
            raise wrong_kind(f"{self.name}.discretize", "an int of at least 2", levels, "Write discretize(levels=10).")
        return self._sub_space(levels=number)

    def limit(self, max_depth: int | None = None, *, max_size: int | None = None) -> SearchSpace:
        """Return the sub-space of at most so many applications of rules: nested in one another, in all, or both.

        Alternatives that cannot end in time are not offered.

        Args:
            max_depth: the most applications that are nested, 1 where the rules apply no further ones.
            max_size: the most applications in one architecture, which are the nodes of a program written as a term; a
                module that is called twice counts once.

        Raises:
            BadArgument: what is no int of at least 0, or neither is given; no program is so small.

        Example:
            >>> import deep_arch as da
            >>> from deep_arch import ops
            >>> @da.rule
            ... def expr():
            ...     return da.or_({"leaf": ops.ReLU, "pair": lambda: da.sequential(expr, expr)})
            >>> net = da.space(lambda x: expr()(x))
            >>> [net.limit(max_size=n).size() for n in (1, 3, 5, 7)]  # Catalan numbers, summed up
            [1, 2, 4, 9]
            >>> net.limit(3, max_size=5).size()
            4
        """
        before = self.restrictions
        limits = {"max_depth": _limit("max_depth", max_depth), "max_size": _limit("max_size", max_size)}
        if max_depth is None and max_size is None:
            raise BadArgument(
                "limit: expected max_depth, max_size or both.\n  Got neither.\n  Write limit(max_depth=4)."
            )
        kept = {name: getattr(before, name) if limit is None else limit for name, limit in limits.items()}
        limited = self._sub_space(**kept)
        if max_size is not None and limited._sizes.whole() > max_size:
            raise self._too_small(max_size, max_depth)
        return limited

    def _too_small(self, max_size: int, max_depth: int | None) -> BadArgument:
        """Return the error for a grammar that cannot end within its limit."""
        n, least = max_size, math.inf
        while least == math.inf and n < ENDLESS:
            n = 2 * n + 1
            least = restricted(
                self._whole, dataclasses.replace(self.restrictions, max_depth=max_depth, max_size=n)
            )._sizes.whole()
        within = "" if max_depth is None else f" within a depth of {max_depth}"
        found = f"the smallest one{within} applies {least:g}" if least < math.inf else f"none ends{within}"
        return BadArgument(
            f"{self.name}.limit: no program applies so few rules; {found}.\n  Got max_size={max_size!r}.\n"
            f"  {'Raise max_size' if least < math.inf else 'Let an alternative of each rule end, or raise the limits'}."
        )

    def fix(self, values: Mapping[str, Any]) -> SearchSpace:
        """Return the sub-space in which some hyperparameters have these values.

        An address that only some of the architectures reach is fixed wherever it is reached; where it belongs to
        hyperparameters of several domains, only those that can take the value are fixed.

        Raises:
            UnknownAddress: the space has no such hyperparameter.
            ValueOutsideDomain: a hyperparameter cannot take its value.
            MissingValues: a domain depends on a hyperparameter that is not fixed as well, so that the value would
                not be valid in every architecture.
        """
        self._check_mapping(values)
        return self._sub_space(fixed=with_fixed(self._whole, values))

    def where(self, predicate: Callable[[ChoicePoint], bool]) -> SearchSpace:
        """Return the sub-space of those hyperparameters for which `predicate(choice_point)` holds.

        The choice point has the hyperparameter's whole domain, also where `limit` or `discretize` leave a part of it.

        The others stay open: an architecture of the sub-space with nothing left to assign may be partial. Search
        the rest in `space.fix(architecture.values)`.
        """
        if not callable(predicate):
            raise wrong_kind(
                self.name, "a function of a choice point", predicate, "Write where(lambda point: point.tag == 'width')."
            )
        predicate = checked(predicate, f"{self.name}.where")
        before = self.restrictions.predicate
        return self._sub_space(predicate=predicate if before is None else Both(before, predicate))

    def without(self, *alternatives: str | Mapping[str, Any] | Callable[[ChoicePoint, Any], bool]) -> SearchSpace:
        """Return the sub-space that does without some alternatives, wherever they stand.

        Args:
            alternatives: names of alternatives, which are values of choices, such as "Multiply"; or mappings from an
                address, a name such as "or.which", in which `*` stands for any text, or a tag, to a value or a
                collection of values; or functions `(point, value) -> bool` that are true of what to leave out. Since
                these hold wherever a choice stands, the `point` has its name, and no address.

        Raises:
            BadArgument: what is none of these.
            UnknownAddress: no hyperparameter is called so.
            ValueOutsideDomain: no choice has such a value.
            InvalidDomain: nothing is left of a domain that is needed, or no program can end.

        Example:
            >>> import deep_arch as da
            >>> from deep_arch import ops
            >>> @da.rule
            ... def expr():
            ...     pair = lambda x: ops.Add()(expr()(x), expr()(x))
            ...     return da.or_({"relu": ops.ReLU, "dense": lambda: ops.Dense(da.choice([4, 8, 16])), "pair": pair})
            >>> net = da.space(lambda x: expr()(x)).limit(2)
            >>> net.size(), net.without("dense").size(), net.without({"dense.units": [4, 8]}).size()
            (20, 2, 6)
            >>> net.without(lambda point, value: point.name == "dense.units" and value > 4).size()
            6
        """
        if not alternatives:
            raise wrong_kind(f"{self.name}.without", "what to leave out", alternatives, "Write without('Multiply').")
        before = self.restrictions.excluded
        added = exclusions(self._whole, alternatives)
        space = self._sub_space(excluded=Without((*(() if before is None else before.exclusions), *added)))
        check(space)
        if space.restrictions.max_size is not None and space._sizes.whole() > space.restrictions.max_size:
            raise nothing_ends(space)
        return space

    def _sub_space(self, **changes: Any) -> SearchSpace:
        return restricted(self._whole, dataclasses.replace(self.restrictions, **changes))

    @property
    def _whole(self) -> SearchSpace:
        return cast("SearchSpace", self)


def _limit(name: str, given: Any) -> int | None:
    limit = as_int(given)
    if given is not None and (limit is None or limit < 0):
        raise BadArgument(f"limit: {name} is an int of at least 0.\n  Got {given!r}.")
    return limit


def restricted(space: SearchSpace, restrictions: Restrictions) -> SearchSpace:
    """Return the sub-space with these restrictions in place of those that a space has."""
    other = object.__new__(type(space))
    vars(other).update(vars(space))
    vars(other).update(restrictions=restrictions, _counts=None, _decided=None, _smallest=None)
    return other
