"""Replaying: a space unfolded at values, and what these values reach."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from deep_arch.errors import (
    MissingValues,
    UnknownAddress,
    UnreachedAddress,
    ValueOutsideDomain,
    nearest,
    wrong_kind,
)
from deep_arch.language.dependence import roots
from deep_arch.language.domains import REJECTED, Choice, Domain
from deep_arch.language.holes import HOLE
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.program import Program
from deep_arch.language.values import UNSET
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.fitting import Fitting
from deep_arch.spaces.frames import Choose, Frame, Unfolding
from deep_arch.spaces.liveness import check_cut, prune
from deep_arch.spaces.place import slot_address, up
from deep_arch.spaces.restrictions import Restrictions
from deep_arch.spaces.smallest import Smallest
from deep_arch.spaces.unfolding import unfold

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace


class Replaying:
    """What of a search space turns values into unfoldings; see `SearchSpace`."""

    program: Program
    restrictions: Restrictions
    _smallest: Smallest | None = None

    @property
    def name(self) -> str:
        """The function's name."""
        return self.program.name

    def unfold(self, choose: Choose) -> Unfolding:
        """Unfold the space within its restrictions, asking `choose` for what they leave open."""
        unfolding, restrictions = Unfolding(), self.restrictions
        if restrictions:
            choose = restrictions.around(choose, self._offered(unfolding))
        unfold(self.program, choose, restrictions.deepest, unfolding)
        if unfolding.prunable:
            prune(unfolding)
        check_cut(unfolding, restrictions)
        if restrictions.max_size is not None:
            Fitting(self._sizes, unfolding, restrictions.max_size).check()
        return unfolding

    @property
    def _sizes(self) -> Smallest:
        """The sizes of the smallest parts of programs, within these restrictions."""
        if self._smallest is None:
            self._smallest = Smallest(self.program, self.restrictions)
        return self._smallest

    def _offered(self, unfolding: Unfolding) -> Callable[[Independent, Frame], Domain]:
        """Return what gives the domain that is offered of a hyperparameter on the way."""
        restrictions = self.restrictions
        if restrictions.max_size is None:
            return restrictions.offered
        fitting = Fitting(self._sizes, unfolding, restrictions.max_size)
        return lambda h, home: fitting.offered(restrictions.left(h, home), h, home)

    def choice_points(self, unfolding: Unfolding) -> tuple[ChoicePoint, ...]:
        """Return what waits for a value in an unfolding of this space."""
        offered = self._offered(unfolding)
        points = [
            ChoicePoint(address, offered(h, frame), h.tag, unfolding.values)
            for address, (h, frame) in unfolding.open.items()
            if self.restrictions.keeps(address, h)
        ]
        return tuple(points)

    def replay(self, values: Mapping[str, Any], required: Iterable[str] | None = None) -> Unfolding:
        """Unfold the space at some values, and leave open what has none.

        Args:
            values: by address.
            required: the addresses that must be reached; all of them if left out.

        Raises:
            ValueOutsideDomain, UnreachedAddress, UnknownAddress: see `at`.
            MissingValues: a value is given whose domain depends on a hyperparameter that has none.
        """
        self._check_mapping(values)

        def choose(hyperparameter: Independent, address: str, _frame: Frame) -> Any:
            if address not in values:
                return UNSET
            value = hyperparameter.domain.accept(values[address])
            if value is REJECTED:
                raise self.outside(hyperparameter.domain, address, values[address])
            return value

        unfolding = self.unfold(choose)
        for address, value in values.items():
            used = unfolding.values.get(address, UNSET)
            if address in self.restrictions.fixed and used is not UNSET and Choice([used]).accept(value) is REJECTED:
                raise self.outside(Choice([used]), address, value)
        for address in values if required is None else required:
            if address in unfolding.waiting:
                raise _waits(address, values[address], unfolding)
            if address not in unfolding.values:
                raise self.no_such_address(address, [*unfolding.values, *unfolding.open], values)
        return unfolding

    def written(self, values: Mapping[str, Any]) -> str:
        """Return values as JSON text, which `Architecture.from_json` reads."""
        domains = self.domains(values)
        encoded = {address: domains[address].encode(value) for address, value in values.items()}
        return json.dumps({"space": self.name, "values": encoded})

    def decoded(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return values that were encoded for JSON, as they were; what is no value that is reached stays as written."""
        values = dict(written)

        def choose(hyperparameter: Independent, address: str, _frame: Frame) -> Any:
            if address not in written:
                return self.restrictions.fixed.get(address, UNSET)
            value = hyperparameter.domain.decode(written[address])  # of the whole space, as when it was encoded
            if value is REJECTED:
                return UNSET
            values[address] = value
            return value

        unfold(self.program, choose)
        return values

    def _check_mapping(self, values: object) -> None:
        if not isinstance(values, Mapping):
            raise wrong_kind(
                self.name, "a mapping from address to value", values, "Pass architecture.values, or {'n': 2}."
            )

    def outside(self, domain: Domain, address: str, value: Any) -> ValueOutsideDomain:
        """Return the error for a value that a domain does not have."""
        return ValueOutsideDomain(
            f"{address}: {value!r} is not {domain}.\n"
            f"  Got {value!r} ({type(value).__name__}) while replaying values onto space `{self.name}`.\n"
            "  Add the value to the domain, or check that these values were made for this space."
        )

    def at_hole(self, address: str) -> ValueOutsideDomain:
        """Return the error for a choice at its hole where a program is meant."""
        return ValueOutsideDomain(
            f"{address}: {HOLE!r} stands for what is not decided yet, and is no value of a program.\n"
            f"  Got {HOLE!r} (str) for space `{self.name}`.\n"
            "  Give it one of its alternatives, or write space.partial(values) for a program with holes."
        )

    def no_such_address(self, address: Any, reached: Iterable[str], values: Iterable[str] = ()) -> Exception:
        """Return the error for an address that is not reached: of this space at other values, or not at all."""
        from deep_arch.spaces.finding import has_address

        values = [name for name in values if name != address]
        reached = [name for name in reached if name not in values and name != address]
        if isinstance(address, str) and has_address(self.program, address):
            return UnreachedAddress(
                f"{address}: is not reached with these values.\n"
                f"  Got a value for a hyperparameter of space `{self.name}` that other choices lead to.\n"
                "  Leave it out, or change the choice that decides whether it exists."
            )
        return UnknownAddress(
            f"{address}: space `{self.name}` has no such hyperparameter.\n  Got the address {address!r}.\n"
            "  Take addresses from architecture.values, or from `unassigned`."
            + (nearest(address, reached) or nearest(address, [*reached, *values]))
        )

    def domains(self, values: Mapping[str, Any]) -> dict[str, Domain]:
        """Return address to domain for everything that these values reach."""
        domains: dict[str, Domain] = {}

        def choose(hyperparameter: Independent, address: str, _frame: Frame) -> Any:
            domains[address] = hyperparameter.domain
            return values.get(address, UNSET)

        unfold(self.program, choose)
        return domains

    def decidable(self, values: Mapping[str, Any]) -> dict[str, Domain]:
        """Return address to domain for what a searcher decides here: without what restrictions fix or leave open."""
        domains: dict[str, Domain] = {}

        def choose(hyperparameter: Independent, address: str, _frame: Frame) -> Any:
            if address not in values:
                return UNSET
            domains[address] = hyperparameter.domain
            return values[address]

        self.unfold(choose)
        return domains

    def complete(self, values: Mapping[str, Any], rng: random.Random) -> Architecture:
        """Return an architecture that has these values where they are valid, and drawn ones elsewhere.

        Raises:
            TooDeep: these values let recursion go on beyond the space's limit.
        """

        def choose(hyperparameter: Independent, address: str, _frame: Frame) -> Any:
            if address in values:
                value = hyperparameter.domain.accept(values[address])
                if value is not REJECTED:
                    return value
            return hyperparameter.domain.draw(rng)

        return Architecture(cast("SearchSpace", self), self.unfold(choose))


def _waits(address: str, value: Any, unfolding: Unfolding) -> MissingValues:
    hyperparameter, frame = unfolding.waiting[address]
    place = frame.fragment
    slots = [place.slot_of(root) for root in roots(hyperparameter.parents)]
    addresses = [slot_address(up(frame, slot.levels), slot.place) for slot in slots]
    missing = ", ".join([a for a in addresses if a not in unfolding.values])
    return MissingValues(
        f"{address}: is to be {hyperparameter.depending}, which depends on what has no value yet: {missing}.\n"
        f"  Got {value!r} ({type(value).__name__}).\n  Give that a value as well, or before."
    )
