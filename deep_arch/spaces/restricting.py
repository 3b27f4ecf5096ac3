"""Restricting: the sub-spaces of a space, in which less is left to decide."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from deep_arch.errors import BadArgument, wrong_kind
from deep_arch.language.foreign import as_int
from deep_arch.language.late_binding import checked
from deep_arch.spaces.choice_points import ChoicePoint
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

    def limit(self, max_depth: int) -> SearchSpace:
        """Return the sub-space of at most `max_depth` nested applications of rules.

        Alternatives that cannot end in time are not offered.
        """
        depth = as_int(max_depth)
        if depth is None or depth < 0:
            raise BadArgument(f"limit: max_depth is an int of at least 0.\n  Got {max_depth!r}.")
        return self._sub_space(max_depth=depth)

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

    def _sub_space(self, **changes: Any) -> SearchSpace:
        return restricted(self._whole, dataclasses.replace(self.restrictions, **changes))

    @property
    def _whole(self) -> SearchSpace:
        return cast("SearchSpace", self)


def restricted(space: SearchSpace, restrictions: Restrictions) -> SearchSpace:
    """Return the sub-space with these restrictions in place of those that a space has."""
    other = object.__new__(type(space))
    vars(other).update(vars(space))
    vars(other).update(restrictions=restrictions, _counts=None, _decided=None)
    return other
