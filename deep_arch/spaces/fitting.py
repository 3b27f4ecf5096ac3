"""Fitting: which values leave a way to end within a number of applications of rules, on the way to one architecture.

What is decided so far has applied some rules, and the calls that are still to be unfolded will apply some more.
A value is offered where both together stay within the limit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping
from typing import Any

from deep_arch.errors import TooDeep
from deep_arch.language.domains import Domain
from deep_arch.language.fragment import Call
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.values import UNSET
from deep_arch.spaces.frames import Frame, Unfolding
from deep_arch.spaces.place import Place, up
from deep_arch.spaces.smallest import WHOLE, Item, Needed, Smallest, Used


class Fitting:
    """What fits within a size, for one unfolding that goes on or has ended.

    Args:
        smallest: the sizes of what is not unfolded yet.
        unfolding: the unfolding.
        most: the limit.
    """

    def __init__(self, smallest: Smallest, unfolding: Unfolding, most: int) -> None:
        self._smallest, self._unfolding, self._most = smallest, unfolding, most
        self._places: dict[str, Place] = {}
        self._sure: dict[str, Used] = {}
        self._entered: set[tuple[int, int]] = set()
        self._known: dict[Hashable, Any] = {}
        self._items: list[tuple[Frame, Item]] = []
        self._n_applied = 0

    def offered(self, domain: Domain, hyperparameter: Independent, home: Frame) -> Domain:
        """Return a domain without the values that leave no way to end; whole where that holds for all."""
        key = (home.prefix, hyperparameter.made)
        items = self._waiting()
        mine = _linked([item for item in items if key in item.keys.values()], items)
        if not mine or domain.size == math.inf:
            return domain
        known = self._values()
        room = self._most - self._n_applied - self._smallest.least([i for i in items if i not in mine], known)
        fitting = [v for v in domain.values() if self._smallest.least(mine, {**known, key: v}) <= room]
        return self._smallest.part(domain, fitting)

    def check(self) -> None:
        """Raise TooDeep where an unfolding that has ended is too large, or cannot end within the limit."""
        frames = self._unfolding.frames.values()
        if self._unfolding.open:
            items = self._waiting()
            size = self._n_applied + self._smallest.least(items, self._values())
        else:
            size = sum([frame.call.module.deepens for frame in frames if frame.call is not None])
        if size > self._most:
            raise too_large(size, self._most)

    def _waiting(self) -> list[Item]:
        """Return the calls that are still to be unfolded, of those that are sure to be needed."""
        for frame in itertools.islice(self._unfolding.frames.values(), len(self._places), None):
            self._enter(frame)
        entered = self._entered
        self._items = [each for each in self._items if (id(each[0].env), each[1].call.index) not in entered]
        return [item for _, item in self._items]

    def _enter(self, frame: Frame) -> None:
        parent = None if frame.parent is None else self._places[frame.parent.prefix]
        depth, caller, call = 0, frame.caller, frame.call
        if caller is not None and call is not None:
            depth = self._places[caller.prefix].depth + call.module.deepens
            self._entered.add((id(caller.env), call.index))
            self._known[up(caller, call.home).prefix, call.module] = True
        place = self._places[frame.prefix] = Place(frame.fragment, frame.prefix, parent, depth)
        if caller is None or call is None:
            used = self._sure[frame.prefix] = self._smallest.used(place, WHOLE)
        elif caller.prefix in self._sure and call in self._sure[caller.prefix].calls:
            used = self._smallest.used(place, self._sure[caller.prefix].calls[call].ports)
            self._sure[frame.prefix] = used
            self._n_applied += call.module.deepens
        else:
            return
        self._items += [(frame, _item(frame, place, call, needed)) for call, needed in used.calls.items()]

    def _values(self) -> Mapping[Hashable, Any]:
        """Return what is known of what waits: the values of hyperparameters, and the modules that are met."""
        known = dict(self._known)
        for frame, item in self._items:
            for user, key in item.keys.items():
                if isinstance(user, Independent) and key not in known:
                    slot = frame.fragment.slot_of(user)
                    values = up(frame, slot.levels).values
                    if slot.place < len(values) and values[slot.place] is not UNSET:
                        known[key] = values[slot.place]
        return known


def _item(frame: Frame, place: Place, call: Call, needed: Needed) -> Item:
    keys: dict[Any, Hashable] = {}
    for user in needed.users:
        if isinstance(user, Independent):
            keys[user] = (up(frame, frame.fragment.slot_of(user).levels).prefix, user)
        else:
            keys[user] = (up(frame, frame.fragment.levels_to(user.owner, user)).prefix, user)
    return Item(place, call, needed.ports, keys)


def _linked(some: list[Item], items: list[Item]) -> list[Item]:
    """Return some items and those that share something with them, or with what shares something, and so on."""
    linked, todo = list(some), list(some)
    while todo:
        keys = set(todo.pop().keys.values())
        more = [item for item in items if item not in linked and not keys.isdisjoint(item.keys.values())]
        linked += more
        todo += more
    return linked


def too_large(size: float, most: int) -> TooDeep:
    """Return the error for what applies more rules than a limit allows."""
    expected = f"expected at most {most} applications of rules, which is the space's limit"
    got = f"values that let no program end within it; {size:g} is the least" if size < math.inf else "no way to end"
    return TooDeep(f"limit: {expected}.\n  Got {got}.\n  Raise max_size, or choose other values.")
