"""Fragments: the graph that one run of a search-space function gives.

While the function runs, its fragment records hyperparameters, modules and calls. When the function has
returned, `finish` freezes the fragment into `steps`: what an unfolding does, in order, for those
calls that the outputs depend on. Many architectures, and many places of one architecture, share a fragment.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeGuard, cast

from deep_arch.errors import ArityMismatch, BadArgument, DuplicateName, ScopeError
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent

if TYPE_CHECKING:
    from deep_arch.language.modules import Module
    from deep_arch.language.program import Program

LEAF, CHOOSE, SUBSTITUTE, LEAF_FAR, SUBSTITUTE_FAR, REACH, COMPUTE, CONFIG = range(8)
"""Kinds of steps: make a node; assign an own hyperparameter; unfold a substitution; the first and the third where
something of an enclosing function, or one of several outputs, takes part; assign an enclosing function's
hyperparameter; compute a dependent one; collect configuration."""

ROOT = -1
"""The number of levels up to the outermost fragment, for things made outside every search-space function."""


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()
"""Stands where a hyperparameter has no value yet."""


class Reference(NamedTuple):
    """A value as seen from a fragment: `levels` enclosing fragments up, what stands at `place` in its environment."""

    levels: int
    place: int
    port: int | None = None


class Slot(NamedTuple):
    """A hyperparameter as seen from a fragment: `levels` enclosing fragments up, at `place` among its values."""

    levels: int
    place: int


class Value:
    """What a module call takes and returns: an edge of the graph.

    The result of a call with several outputs is unpacked, `a, b = module(x)`, or indexed, `module(x)[0]`.
    """

    __slots__ = ("fragment", "index", "port")

    def __init__(self, fragment: Fragment, index: int, port: int | None = None) -> None:
        self.fragment, self.index, self.port = fragment, index, port

    def __getitem__(self, port: int) -> Value:
        if type(port) is not int or port < 0 or self.port is not None:
            raise BadArgument(
                f"{self}: the outputs of a call are indexed once, by an int from 0.\n  Got [{port!r}].\n"
                "  To take part of a tensor use ops.Split or ops.Cropping2D."
            )
        if self.index < self.fragment.n_inputs:
            raise ArityMismatch(
                f"{self}: a parameter of a search-space function is one value, and has no outputs to index.\n"
                f"  Got [{port}].\n  Give the function one parameter for each value."
            )
        call = self.fragment.call_at[self.index]
        call.ports.add(port)
        return Value(self.fragment, self.index, port)

    def __iter__(self) -> Iterator[Value]:
        if self.port is not None or self.index < self.fragment.n_inputs:
            raise ArityMismatch(f"{self}: one value cannot be unpacked.\n  Unpack the result of a call instead.")
        call = self.fragment.call_at[self.index]
        return iter([self[port] for port in range(call.module.count_outputs(len(call.inputs)))])

    def _no_arithmetic(self, _: object) -> NoReturn:
        raise BadArgument(
            f"{self}: values have no arithmetic of their own.\n  Got an operator.\n"
            "  Write ops.Add()(a, b), ops.Subtract()(a, b) or ops.Multiply()(a, b)."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __truediv__ = _no_arithmetic

    def __bool__(self) -> bool:
        raise BadArgument(
            f"{self}: a value has no truth value while the space is being written.\n"
            "  To build a part or not use da.optional; to choose between parts da.or_."
        )

    def __repr__(self) -> str:
        if self.index < self.fragment.n_inputs:
            return f"<value: input {self.index}>"
        port = "" if self.port is None else f"[{self.port}]"
        return f"<value: {self.fragment.call_at[self.index].module.base_name}{port}>"


class Call:
    """One call of a module inside a fragment.

    Attributes:
        name: the module's name in the fragment that made it.
        home: levels up to the fragment that made the module; addresses start there.
        lexical: levels up to the fragment that encloses a substitution's function.
        inputs: what it is called on.
        index: where its result goes.
        arguments: one slot for each open argument of the module.
        ports: the outputs that are taken one by one.
        used_whole: whether the result goes on as a single value.
    """

    __slots__ = ("arguments", "home", "index", "inputs", "lexical", "module", "name", "ports", "used_whole")

    def __init__(self, module: Module, name: str, home: int, inputs: tuple[Reference, ...], index: int) -> None:
        self.module, self.name, self.home, self.inputs, self.index = module, name, home, inputs, index
        self.lexical = 0
        self.arguments: tuple[Slot, ...] = ()
        self.ports: set[int] = set()
        self.used_whole = False


Step = tuple[int, Any, Any, Any, Any, Any]


class Fragment:
    """The graph that one run of a search-space function gives.

    Attributes:
        parent: the enclosing fragment, whose values, modules and hyperparameters the function may use.
        label: what the address of everything inside adds to the name of the substitution, such as `[2]`.
        ending: `label`, and the slash where names inside do not bring their own.
        blank, unset: room for what the calls give, and for the values of the own hyperparameters.
        plain: whether an unfolding that enters it has nothing else to look after.
        of_rule: whether it is what a rule unfolds to.
        suffixes: the name of each own hyperparameter, by slot.
        steps: what an unfolding does, in order.
        live_calls: the calls that the outputs depend on, before anything inside is unfolded.
        sole_output: where the result is found, if it is one that was made here; else -1.
        uses_every_input: whether the outputs depend on every input before anything inside is unfolded.
        captures: values of enclosing functions.
    """

    def __init__(
        self, program: Program, parent: Fragment | None, n_inputs: int, label: str, where: str, in_copies: bool = False
    ) -> None:
        self.program, self.parent, self.n_inputs, self.label = program, parent, n_inputs, label
        # Copies are addressed as `repeat[1]/...`, all else as `repeat/...`, so the slash belongs to either side.
        self.ending, self._lead = (label, "/") if in_copies else (label + "/", "")
        self._where = where
        self.level: int = 0 if parent is None else parent.level + 1
        self.calls: list[Call] = []
        self.call_at: dict[int, Call] = {}
        self.hyperparameters: list[Hyperparameter] = []
        self.suffixes: list[str] = []
        self.config: dict[str, Any] = {}
        self.outputs: tuple[Reference, ...] = ()
        self.output_names: tuple[str, ...] = ()
        self.captures: list[Reference] = []
        self.steps: tuple[Step, ...] = ()
        self.uses_every_input = True
        self.sole_output = -1
        self.blank: list[None] = []
        self.unset: list[_Unset] = []
        self.plain = False
        self.flat = False
        self.of_rule = False
        self.finished = False
        self.n_slots = n_inputs
        self.live_calls: list[Call] = []
        self._modules: list[Module] = []
        self._called: set[Module] = set()
        self._names: set[str] = set()
        self._counts: dict[str, int] = {}
        self._created: list[int | Call] = []  # own slots and calls, as they were made
        self._steps_for: dict[int, tuple[Step, ...]] = {}

    def where(self, module: Module | None = None) -> str:
        """Return the address of this fragment, or of a module in it, for messages."""
        prefix = self._where
        if module is None:
            return prefix or "the space's function"
        return f"{prefix}/{module.base_name}" if prefix else module.base_name

    # --- recording ---------------------------------------------------------------------------------------------

    def claim(self, name: str, kind: str) -> None:
        """Take a name that the user chose."""
        if name in self._names:
            raise DuplicateName(
                f"{self.where()}: names of one function must differ.\n"
                f"  Got {kind} named {name!r} for the second time.\n"
                "  Choose another name=, or leave it out and get a numbered one."
            )
        self._names.add(name)

    def free_name(self, base: str) -> str:
        """Take the first name free among `base`, `base_1`, `base_2`, ..."""
        name, n = base, self._counts.get(base, 0)
        while name in self._names:
            n += 1
            name = f"{base}_{n}"
        self._counts[base] = n
        self._names.add(name)
        return name

    def add_hyperparameter(self, hyperparameter: Hyperparameter) -> int:
        """Take in a hyperparameter that was just made and return its slot."""
        self._check_recording(f"hyperparameter {hyperparameter.name or ''}".strip())
        if hyperparameter.name is not None:
            self.claim(hyperparameter.name, "a hyperparameter")
        self.hyperparameters.append(hyperparameter)
        self.suffixes.append(self._lead + hyperparameter.name if hyperparameter.name else "")
        self._created.append(len(self.suffixes) - 1)
        return len(self.suffixes) - 1

    def add_module(self, module: Module) -> None:
        """Take in a module that was just made: name it, and its hyperparameters that have no name yet."""
        self._check_recording(module.base_name)
        if module.explicit_name:
            self.claim(module.base_name, "a module")
            module.name_in_owner = self._lead + module.base_name
        else:
            lead = "" if module.base_name[0] == "[" else self._lead
            module.name_in_owner = lead + self.free_name(module.base_name)
        self._modules.append(module)
        self._name_arguments(module.name_in_owner, module.open_arguments)

    def named_modules(self) -> list[tuple[Module, str]]:
        """Return the modules whose addresses begin here, called here or further in, with their names."""
        own = [(module, module.name_in_owner) for module in self._modules]
        return own if self.parent is not None else own + self.program.adopted_modules()

    def _name_arguments(self, name: str, open_arguments: Iterable[tuple[str, Hyperparameter]]) -> None:
        for argument, hyperparameter in open_arguments:
            if hyperparameter.owner is self and not self.suffixes[hyperparameter.slot]:
                self.suffixes[hyperparameter.slot] = f"{name}.{argument}"
            elif hyperparameter.owner is None and self is self.program.root:
                self.program.adopt(hyperparameter, self, f"{name}.{argument}")

    def _check_recording(self, what: str) -> None:
        if self.finished:
            raise ScopeError(f"{self.where()}: {what} was made after its function had returned.")

    def call(self, module: Module, values: Sequence[Value]) -> Value:
        """Record a call of `module` on `values`."""
        home = self.levels_to(module.owner, module)
        name = module.name_in_owner if module.owner is not None else self.program.adopt_module(module, self)
        inputs = tuple([self._reference(value, module) for value in values])
        call = Call(module, name, home, inputs, self.n_slots)
        module.shared = module.shared or home != 0 or module in self._called
        self._called.add(module)
        call.lexical = module.lexical_levels(self)
        self.calls.append(call)
        self.call_at[call.index] = call
        self._created.append(call)
        self.n_slots += 1
        return Value(self, call.index)

    def levels_to(self, owner: Fragment | None, what: object) -> int:
        """Return how many enclosing functions up `owner` is.

        Raises:
            ScopeError: it is not an enclosing one.
        """
        if owner is None:
            return 0 if self.parent is None and self is self.program.root else ROOT
        levels, fragment = 0, self
        while fragment is not owner:
            if fragment.parent is None:
                raise ScopeError(
                    f"{self.where()}: {what!r} does not exist here: it was made in another function.\n"
                    f"  It was made in {owner.where()}, which does not enclose this one.\n"
                    "  Make it in this function or an enclosing one, or pass values as inputs."
                )
            levels, fragment = levels + 1, fragment.parent
        return levels

    def _reference(self, value: Value, module: Module | None = None) -> Reference:
        levels = self.levels_to(value.fragment, value)
        if value.port is None and value.index >= value.fragment.n_inputs and module is not None:
            value.fragment.call_at[value.index].used_whole = True
        reference = Reference(levels, value.index, value.port)
        if levels and reference not in self.captures:
            self.captures.append(reference)
        return reference

    def slot_of(self, hyperparameter: Hyperparameter) -> Slot:
        """Return where `hyperparameter` is found from here."""
        if hyperparameter.owner is None:
            return Slot(self.levels_to(None, hyperparameter), self.program.adopt(hyperparameter, self))
        return Slot(self.levels_to(hyperparameter.owner, hyperparameter), hyperparameter.slot)

    def owner_at(self, levels: int) -> Fragment:
        """Return the fragment that many levels up."""
        if levels == ROOT:
            return self.program.root
        fragment = self
        for _ in range(levels):
            assert fragment.parent is not None, "levels are counted along the parents"
            fragment = fragment.parent
        return fragment

    # --- freezing ----------------------------------------------------------------------------------------------

    def finish(self, returned: Any) -> None:
        """Freeze the fragment with what its function returned."""
        outputs, self.output_names = self._collect(returned)
        self.outputs = tuple([self._reference(value) for value in outputs])
        self._name_the_rest()
        for call in self.calls:
            call.arguments = tuple([self.slot_of(h) for _, h in call.module.open_arguments])
        wanted = [ref.place for ref in self.outputs if ref.levels == 0]
        self.steps, used = self._compile(wanted, with_config=True)
        self.live_calls = [call for call in self.calls if call.index in used]
        only = self.outputs[0] if len(self.outputs) == 1 else None
        self.sole_output = only.place if only and only.levels == 0 and only.port is None else -1
        self.blank = [None] * (self.n_slots - self.n_inputs)
        self.unset = [UNSET] * len(self.hyperparameters)
        self.uses_every_input = all(i in used for i in range(self.n_inputs))
        self.plain = self.uses_every_input and not self.captures and not self.of_rule
        self.flat = self.plain and self.sole_output >= 0 and all(step[0] in (LEAF, CHOOSE) for step in self.steps)
        self.finished = True

    def _collect(self, returned: Any) -> tuple[tuple[Value, ...], tuple[str, ...]]:
        if isinstance(returned, Value):
            return (returned,), ("output",)
        names: tuple[str, ...] | None = None
        if isinstance(returned, Mapping):
            names, returned = tuple(map(str, returned)), tuple(returned.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if returned is None and self.config:
            returned = ()
        if not _are_values(returned):
            raise BadArgument(
                f"{self.where()}: a search-space function returns a value, or a tuple, list or dict of values.\n"
                f"  Got {returned!r} ({type(returned).__name__}).\n"
                "  Return the result of calling a module on values: `return ops.ReLU()(x)`, not `ops.ReLU`."
            )
        if not returned and not self.config:
            raise ArityMismatch(f"{self.where()}: a search-space function returns at least one value.\n  Got none.")
        return tuple(returned), names or tuple(f"output_{i}" for i in range(len(returned)))

    def _name_the_rest(self) -> None:
        for key, value in self.config.items():
            if isinstance(value, Hyperparameter) and value.owner is self and not self.suffixes[value.slot]:
                self.suffixes[value.slot] = self._lead + self.free_name(key)
        for slot, hyperparameter in enumerate(self.hyperparameters):
            if not self.suffixes[slot]:
                self.suffixes[slot] = self._lead + self.free_name(base_name(hyperparameter))

    def steps_for(self, index: int) -> tuple[Step, ...]:
        """Return the steps that lead to the result of one call, for a function that captured it."""
        steps = self._steps_for.get(index)
        if steps is None:
            steps = self._steps_for[index] = self._compile([index], with_config=False)[0]
        return steps

    def _compile(self, wanted: Iterable[int], with_config: bool) -> tuple[tuple[Step, ...], set[int]]:
        """Return the steps for the calls that `wanted` depends on, and everything that these use."""
        used = set(wanted)
        for call in reversed(self.calls):
            if call.index in used:
                used.update(ref.place for ref in call.inputs if ref.levels == 0)
        live = [call for call in self.calls if call.index in used]
        config = self.config if with_config else {}
        own = self._own_slots(live, config)
        steps: list[Step] = []
        reached: set[Slot] = set()
        for made in self._created:
            if isinstance(made, int):
                if made in own:
                    steps.append((CHOOSE, made, self.hyperparameters[made], self.suffixes[made], None, None))
            elif made.index in used:
                for slot in made.arguments:
                    self._reach(slot, own, reached, steps)
                steps.append(self._call_step(made))
        if config:
            entries = {k: self.slot_of(v) if isinstance(v, Hyperparameter) else v for k, v in config.items()}
            for slot in entries.values():
                if isinstance(slot, Slot):
                    self._reach(slot, own, reached, steps)
            steps.append((CONFIG, entries, None, None, None, None))
        return tuple(steps), used

    def _own_slots(self, live: list[Call], config: Mapping[str, Any]) -> set[int]:
        """Return the slots of own independent hyperparameters that live calls use, themselves or through dependents."""
        slots = [slot for call in live for slot in call.arguments]
        slots += [self.slot_of(v) for v in config.values() if isinstance(v, Hyperparameter)]
        own: set[int] = set()
        seen: set[Slot] = set()
        while slots:
            slot = slots.pop()
            if slot in seen:
                continue
            seen.add(slot)
            hyperparameter = self.owner_at(slot.levels).hyperparameters[slot.place]
            if isinstance(hyperparameter, Dependent):
                slots += [self.slot_of(p) for p in hyperparameter.parents if isinstance(p, Hyperparameter)]
            elif hyperparameter.owner is self:
                own.add(slot.place)
        return own

    def _reach(self, wanted: Slot, own: set[int], reached: set[Slot], steps: list[Step]) -> None:
        """Append what it takes for a slot to hold a value: parents first."""
        todo = [wanted]
        while todo:
            slot = todo[-1]
            hyperparameter = self.owner_at(slot.levels).hyperparameters[slot.place]
            if slot in reached or (slot.levels == 0 and slot.place in own):
                todo.pop()
            elif isinstance(hyperparameter, Independent):
                steps.append((REACH, slot.levels, slot.place, hyperparameter, None, None))
                reached.add(slot)
            else:
                assert isinstance(hyperparameter, Dependent), "a hyperparameter is independent or dependent"
                parents = [self.slot_of(p) if isinstance(p, Hyperparameter) else p for p in hyperparameter.parents]
                missing = [p for p in parents if isinstance(p, Slot) and p not in reached and not self._own(p, own)]
                if missing:
                    todo += missing
                else:
                    steps.append((COMPUTE, slot.levels, slot.place, hyperparameter, parents, None))
                    reached.add(slot)

    @staticmethod
    def _own(slot: Slot, own: set[int]) -> bool:
        return slot.levels == 0 and slot.place in own

    @staticmethod
    def _call_step(call: Call) -> Step:
        """Return the step of a call, its slots and inputs as plain indices where they are all the fragment's own."""
        near = call.home == 0 and all(slot.levels == 0 for slot in call.arguments)
        near = near and all(ref.levels == 0 and ref.port is None for ref in call.inputs)
        slots = getter([slot.place for slot in call.arguments]) if near else None
        inputs = getter([ref.place for ref in call.inputs]) if near else None
        if call.module.substitution:
            kind = SUBSTITUTE if near else SUBSTITUTE_FAR
            return (kind, call, call.name, slots, inputs, call.module.expansions(len(call.inputs)))
        return (LEAF if near and call.module.single else LEAF_FAR, call, call.name, slots, inputs, call.index)


def _are_values(returned: Any) -> TypeGuard[Sequence[Value]]:
    return isinstance(returned, tuple | list) and all(isinstance(v, Value) for v in cast("Sequence[Any]", returned))


def getter(indices: Sequence[int]) -> Any:
    """Return the index itself where it is one, else a function that takes all of them out of a list as a tuple."""
    if len(indices) == 1:
        return indices[0]
    return operator.itemgetter(*indices) if indices else _nothing


def _nothing(_: list[Any]) -> tuple[()]:
    return ()


def base_name(hyperparameter: Hyperparameter) -> str:
    """Return the name of a hyperparameter that no module of its own function uses."""
    if isinstance(hyperparameter, Independent):
        return type(hyperparameter.domain).__name__.lower()
    return "dependent"
