"""Exploring: everything that a space can unfold to, once, and what each part uses of what lies around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from deep_arch.counting.ways import Endless
from deep_arch.errors import NotCountable
from deep_arch.language.dependence import roots
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.modules import Module
from deep_arch.language.program import Program
from deep_arch.spaces.alternatives import Alternative, Alternatives, call_roots, listed_names
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions

_MOST_LEVELS: Final = 3_000
"""Nested substitutions without a rule between them; more is taken for recursion that has no end."""

MOST_RULES: Final = 1_000
"""Nested applications of rules, none of them met before, in a space without a limit; more is taken for arguments that
grow without end."""


MOST_UNFOLDED: Final = 70_000
"""Fragments, or hundreds of calls in them, that are unfolded before a space is too large to count: some seconds."""


class Explorer:
    """What a space can unfold to.

    Attributes:
        users: for each fragment, the hyperparameters and shared modules that are used in it or further in.
        inner: for each call of a substitution, the fragments that it can unfold to, or that begin with these.
        leading: the hyperparameters that domains depend on.

    Raises:
        Endless: infinitely many values decide what some call unfolds to.
        NotCountable: functions nest without end.
    """

    def __init__(self, program: Program, restrictions: Restrictions) -> None:
        self.users: dict[Fragment, set[Any]] = {}
        self.inner: dict[Call, dict[Fragment, None]] = {}
        self._alternatives = Alternatives(program, restrictions, anywhere=True)
        self._limited = restrictions.deepest is not None
        self.leading: set[Independent] = set()
        self._places: dict[Any, dict[Call, Fragment]] = {}
        self._pass_on(self._explored(program.root))
        for used in self.users.values():
            self.leading.update([h for user in used if isinstance(user, Independent) for h in roots(user.parents)])

    def stands_once(self, module: Module) -> bool:
        """Return whether a module is called once at most, however the function unfolds that made it."""
        here: Any = module
        while here is not module.owner:
            places = self._places.get(here, {})
            if len(places) != 1:
                return False
            here = next(iter(places.values()))
        return True

    def _explored(self, root: Fragment) -> dict[Fragment, set[Fragment]]:
        """Unfold everything once, and return for each fragment those that it stands in."""
        callers: dict[Fragment, set[Fragment]] = {root: set()}
        best: dict[Fragment, int] = {root: 0}
        todo = [(Place(root, "", None), 0)]
        n_unfolded = 0.0
        while todo:
            place, level = todo.pop()
            self._check_end(place, level)
            self.users.setdefault(place.fragment, _own_users(place.fragment))
            for call in place.fragment.calls:
                self._places.setdefault(call.module, {})[call] = place.fragment
                for inner in self._unfolded(place, call):
                    fragment = inner.fragment
                    self._places.setdefault(fragment, {})[call] = place.fragment
                    n_unfolded += 0.02 if fragment in best else 1 + len(fragment.calls) / 100
                    if n_unfolded > MOST_UNFOLDED:
                        raise self._too_many(root)
                    callers.setdefault(fragment, set()).add(place.fragment)
                    if fragment not in best or inner.depth < best[fragment]:
                        best[fragment] = inner.depth
                        todo.append((inner, 0 if call.module.deepens else level + 1))
        return callers

    def _unfolded(self, place: Place, call: Call) -> Iterator[Place]:
        if self._alternatives.unfolds(place, call) and self._alternatives.endless(place, call):
            raise Endless
        if call.module.nested and self._alternatives.lies_within(place, call):
            alternatives: Iterable[Alternative] = [self._alternatives.longest(place, call)[0]]
        else:
            alternatives = self._alternatives.of(place, call)
        unfolded = self.inner.setdefault(call, {})
        for _, _, inner in alternatives:
            unfolded[inner.fragment] = None
            yield inner._replace(prefix=None)

    def _too_many(self, root: Fragment) -> NotCountable:
        most = max(self.inner, key=lambda call: len(self.inner[call]))
        return NotCountable(
            f"{root.program.name}: unfolds to too much to count it.\n"
            f"  Got more than {MOST_UNFOLDED:,} different functions, {len(self.inner[most]):,} of {most.name}, "
            f"which is decided by {listed_names(call_roots(most))}.\n"
            "  Use smaller domains for what decides structure, fix some with space.fix, limit recursion with "
            "space.limit, or draw uniformly over the choices, which needs no counting. Where a function of many values "
            "decides nothing more than these, say so: da.substitute(fn, closed=True, ...)."
        )

    def _check_end(self, place: Place, level: int) -> None:
        if level > _MOST_LEVELS or (not self._limited and place.depth > MOST_RULES):
            raise NotCountable(
                f"{place.fragment.where()[:200]}: functions nest without end.\n"
                f"  Got {max(level, place.depth)} substitutions or rules, each inside the one before.\n"
                "  Decorate the recursive function with @da.rule, so that it is known to be the same function "
                "again, and give it arguments that do not grow."
            )

    def _pass_on(self, callers: dict[Fragment, set[Fragment]]) -> None:
        """Let each fragment use what is used further in and belongs to it or to those around it."""
        changed = list(callers)
        while changed:
            inner = changed.pop()
            passed = {user for user in self.users[inner] if user.owner is not inner}
            for caller in callers[inner]:
                if not passed <= self.users[caller]:
                    self.users[caller] |= passed
                    changed.append(caller)


def _own_users(fragment: Fragment) -> set[Any]:
    used: set[Any] = {h for call in fragment.calls for h in call_roots(call)}
    used.update(roots(fragment.config.values()))
    used.update(call.module for call in fragment.calls if call.module.shared and call.module.substitution)
    return used
