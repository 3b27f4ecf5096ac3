"""Recording a program: its parts become calls of modules in the fragment that runs, each once, with paths for names.

Within one part identity is kept: what stands in two places is recorded once, and is one decision and one object. What
a candidate uses is its own copy, unless the part around it uses the same thing itself; hyperparameters with a name are
one everywhere. So a list of operations may stand in several choices, which are then independent. Each part is recorded
when it is first reached, with what encloses it in view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from deep_arch.language.fragment import Fragment, current_fragment
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.parts import Part, as_part, children, is_part, things
from deep_arch.language.values import Value

Thing = Part | Hyperparameter


def record(value: Any) -> Value:
    """Record a part of a program, or what holds parts or hyperparameters, into the running fragment."""
    fragment = current_fragment()
    assert fragment is not None, "parts are recorded while a function runs"
    return Recording(fragment).whole(value)


class Recording:
    """One part of a program on its way into the fragment that runs.

    Attributes:
        fragment: what it is recorded into.
    """

    def __init__(self, fragment: Fragment) -> None:
        self.fragment = fragment
        self._paths: dict[int, tuple[str, Any]] = {}
        self._formulas: list[tuple[str, Any]] = []

    def whole(self, value: Any) -> Value:
        """Record a value with all that it uses itself, and return what stands for it."""
        from deep_arch.language.part_modules import record_value

        self._collect([("", value)])
        while self._formulas:  # after all else, so that what is used by itself too has the path of that use
            self._collect([self._formulas.pop(0)])
        for path, thing in self._in_order():
            self.fragment.recorded[id(thing)] = thing, self._recorded(thing, path)
        found = self.of(value) if is_part(value) else None
        return found if isinstance(found, Value) else record_value(self, value)

    def of(self, thing: Any) -> Any:
        """Return what a part or hyperparameter was recorded as, here or around; None if it was not."""
        fragment: Fragment | None = self.fragment
        while fragment is not None:
            if id(thing) in fragment.recorded:
                return fragment.recorded[id(thing)][1]
            fragment = None if fragment.of_rule else fragment.parent
        return None

    def call(self, module: Any, inputs: Iterable[Value] = ()) -> Value:
        """Record a call of a module that was just made."""
        return self.fragment.call(module, [*inputs])

    def path(self, path: str, word: str) -> str:
        """Return the path of a module: a word instead of none where it is the whole program."""
        outermost = self.fragment.parent is None
        return path.lstrip(".") or word if outermost else path

    def memories(self, *key: Any) -> dict[int, dict[Any, Fragment]]:
        """Return the memory of what some candidates unfold to, one for all choices of the fragment among the same."""
        ids = tuple(tuple(map(id, k)) if i == 1 else k for i, k in enumerate(key))
        return self.fragment.memories.setdefault(ids, {})

    def uses_any(self, values: Iterable[Any]) -> bool:
        """Return whether something in values is used here or around as well."""
        return any(self.of(held) is not None for value in values for held in things(value))

    def _collect(self, todo: list[tuple[str, Any]]) -> None:
        """Note what a part uses itself, not inside candidates, and the path that leads to each first."""
        while todo:
            path, value = todo.pop()
            if isinstance(value, Hyperparameter) and not is_part(value):
                self._formulas += [(path, parent) for parent in _parents(value)]
            elif not is_part(value):
                todo += [(path + step, child) for step, child in reversed(children(value))]
                continue
            if id(value) in self._paths or self.of(value) is not None:
                continue
            self._paths[id(value)] = path, value
            if (part := as_part(value)) is not None:
                todo += [(path + step, child) for step, child in reversed(part.__class__.needs(part))]

    def _in_order(self) -> Iterator[tuple[str, Any]]:
        """Yield what is to be recorded, each after what it needs, and choices after what candidates use of it."""
        done: set[int] = set()
        todo = [thing for _, thing in reversed(self._paths.values())]
        entered: set[int] = set()
        while todo:
            thing = todo[-1]
            if id(thing) in done:
                todo.pop()
            elif id(thing) in entered:
                done.add(id(todo.pop()))
                yield self._paths[id(thing)]
            else:
                entered.add(id(thing))
                needed = [n for n in self._needed(thing) if id(n) in self._paths and id(n) not in entered]
                todo += reversed(needed)

    def _needed(self, thing: Any) -> Iterator[Any]:
        part = as_part(thing)
        if part is None:
            yield from _parents(thing)
        elif part.__class__.opens and len(self._paths) > 1:
            for value in things(thing):
                yield value
                yield from _parents(value)
        else:
            for _, value in part.__class__.needs(part):
                yield from _things(value)

    def _recorded(self, thing: Any, path: str) -> Any:
        part = as_part(thing)
        if part is not None:
            return part.__class__.recorded(part, self, path)
        return self.hyperparameter(thing, path)

    def decision(self, given: Independent, path: str) -> Any:
        """Return what decides a choice here; see `hyperparameter`."""
        if given.made is given:
            return self.hyperparameter(given, path)
        if given.name is None:  # a choice among hyperparameters, which is one of positions here
            return self._own(Independent(given.domain, None, given.tag), path)
        if isinstance(given.owner, Fragment):
            given.owner.hyperparameters[given.slot] = given
        return self.hyperparameter(given, path)

    # --- hyperparameters -----------------------------------------------------------------------------------------

    def hyperparameter(self, given: Any, path: str) -> Any:
        """Return what decides here: the hyperparameter itself, or one of the running part's own that is like it."""
        if self._is_itself(given):
            return self._own(given, path) if given.owner is self.fragment else given
        if isinstance(given, Dependent):
            made: Hyperparameter = given.of([self._parent(p) for p in given.parents])
        else:
            made = Independent(self._domain(given), None, given.tag)
        return self._own(made, path)

    def _own(self, made: Any, path: str) -> Any:
        self.fragment.name_hyperparameter(made.slot, path.lstrip(".") if self.fragment.parent is None else path)
        return made

    def _is_itself(self, given: Any) -> bool:
        """Return whether a hyperparameter is one wherever it is used: it has a name, or the function uses it too."""
        if isinstance(given, Dependent) or (isinstance(given, Independent) and given.parents):
            parents = [p for p in given.parents if isinstance(p, Hyperparameter)]
            return all(self._parent(p) is p for p in parents) and (given.name is not None or self._owns(given))
        return given.name is not None or self._owns(given)

    def _owns(self, given: Any) -> bool:
        owner = given.owner
        return owner is self.fragment or (isinstance(owner, Fragment) and owner.uses(given))

    def _parent(self, parent: Any) -> Any:
        if not isinstance(parent, Hyperparameter):
            return parent
        found = self.of(parent)
        return parent if found is None else found

    def _domain(self, given: Independent) -> Any:
        depending = given.depending
        return given.domain if depending is None else depending.of([self._parent(p) for p in depending.parents])


def _parents(value: Any) -> tuple[Any, ...]:
    """Return the hyperparameters that one is computed from, or that its domain depends on."""
    if not isinstance(value, Dependent | Independent):
        return ()
    return tuple(parent for parent in value.parents if isinstance(parent, Hyperparameter))


def _things(value: Any) -> Iterator[Any]:
    """Yield the parts and hyperparameters right below a value, through lists and the like."""
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, Hyperparameter) or is_part(value):
            yield value
        else:
            todo += [child for _, child in reversed(children(value))]
