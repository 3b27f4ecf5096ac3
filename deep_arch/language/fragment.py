"""Fragments: the graph that one run of a search-space function gives.

While the function runs, its fragment records hyperparameters, modules and calls. When the function has
returned, `finish` freezes the fragment into `steps`: what an unfolding does, in order, for those
calls that the outputs depend on. Many architectures, and many places of one architecture, share a fragment.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from deep_arch.errors import ArityMismatch, BadArgument, DuplicateName, ScopeError, is_kind
from deep_arch.language import dependence, scope
from deep_arch.language.hyperparameters import Hyperparameter, Independent
from deep_arch.language.steps import Step, compiled
from deep_arch.language.values import ROOT, UNSET, Reference, Slot, Unset, Value

if TYPE_CHECKING:
    from deep_arch.language.modules import Module
    from deep_arch.language.program import Program
    from deep_arch.language.scope import Recorder


class Call:
    """One call of a module inside a fragment.

    Attributes:
        name: the module's name in the fragment that made it.
        home: levels up to the fragment that made the module; addresses start there.
        lexical: levels up to the fragment that encloses a substitution's function.
        inputs: what it is called on, and then the values whose shapes its arguments are computed from.
        n_inputs: how many it is called on.
        index: where its result goes.
        arguments: one slot for each open argument of the module.
        ports: the outputs that are taken one by one.
        used_whole: whether the result goes on as a single value.
    """

    __slots__ = (
        *("arguments", "home", "index", "inputs", "lexical", "module", "n_inputs", "name", "ports", "used_whole"),
    )

    def __init__(self, module: Module, name: str, home: int, inputs: tuple[Reference, ...], index: int) -> None:
        self.module, self.name, self.home, self.inputs, self.index = module, name, home, inputs, index
        self.n_inputs = len(inputs) - len(module.measures)
        self.lexical = 0
        self.arguments: tuple[Slot, ...] = ()
        self.ports: set[int] = set()
        self.used_whole = False


class Fragment:
    """The graph that one run of a search-space function gives.

    Attributes:
        parent: the enclosing fragment, whose values, modules and hyperparameters the function may use.
        label: what the address of everything inside adds to the name of the substitution, such as `[2]`.
        ending: `label`, and the slash where names inside do not bring their own.
        blank, unset: room for what the calls give, and for the values of the own hyperparameters.
        plain: whether an unfolding that enters it has nothing else to look after.
        of_rule: whether it is what a rule unfolds to.
        closed: whether it is declared to leave nothing to decide.
        outputs_are_named: whether the function returned a dict.
        suffixes: the name of each own hyperparameter, by slot.
        created: own slots and calls, as they were made.
        steps: what an unfolding does, in order.
        live_calls: the calls that the outputs depend on, before anything inside is unfolded.
        sole_output: where the result is found, if it is one that was made here; else -1.
        uses_every_input: whether the outputs depend on every input before anything inside is unfolded.
        captures: values of enclosing functions.
        recorded: parts of a program and hyperparameters by identity, each with what it was recorded as.
        memories: what candidates of a program unfold to, by their identities.
    """

    def __init__(
        self, program: Program, parent: Fragment | None, n_inputs: int, label: str, where: str, lead: str = ""
    ) -> None:
        self.program, self.parent, self.n_inputs, self.label = program, parent, n_inputs, label
        # Copies are addressed as `repeat[1]/...`, all else as `repeat/...`, so the slash belongs to either side.
        self.ending, self._lead = (label, lead) if lead else (label + "/", "")
        self._where = where
        self.level: int = 0 if parent is None else parent.level + 1
        self.calls: list[Call] = []
        self.call_at: dict[int, Call] = {}
        self.hyperparameters: list[Hyperparameter] = []
        self.suffixes: list[str] = []
        self.config: dict[str, Any] = {}
        self.outputs: tuple[Reference, ...] = ()
        self.output_names: tuple[str, ...] = ()
        self.outputs_are_named = False
        self.captures: list[Reference] = []
        self.created: list[int | Call] = []
        self.steps: tuple[Step, ...] = ()
        self.uses_every_input = True
        self.sole_output = -1
        self.blank: list[None] = []
        self.unset: list[Unset] = []
        self.plain = False
        self.of_rule = False
        self.closed = False
        self.finished = False
        self.n_slots = n_inputs
        self.live_calls: list[Call] = []
        self._modules: list[Module] = []
        self._called: set[Module] = set()
        self._names: set[str] = set()
        self._counts: dict[str, int] = {}
        self._steps_for: dict[int, tuple[Step, ...]] = {}
        self._unnamed: set[int] = set()
        self._uses: set[int] | None = None
        self.recorded: dict[int, tuple[Any, Any]] = {}
        self.memories: dict[Any, dict[int, dict[Any, Fragment]]] = {}

    def where(self, module: Module | None = None) -> str:
        """Return the address of this fragment, or of a module in it, for messages."""
        prefix = self._where
        if module is None:
            return prefix or "the space's function"
        return f"{prefix}/{module.base_name}" if prefix else module.base_name

    # --- recording ---------------------------------------------------------------------------------------------

    @contextmanager
    def part(self, index: int) -> Generator[None, None, None]:
        """Record a part with names of its own, which begin with its number, while the block runs.

        It costs nothing when the fragment is unfolded, unlike a copy, which is a fragment and may be remembered.
        """
        around = self._lead, self._names, self._counts, self._where
        self._lead, self._names, self._counts, self._where = f"[{index}]/", set(), {}, f"{self._where}[{index}]"
        try:
            yield
            self._name_the_rest()
        finally:
            self._lead, self._names, self._counts, self._where = around

    def configure(self, name: str, value: Any) -> None:
        """Take in what `config` attaches under a name."""
        if self._lead + name in self.config:
            raise DuplicateName(
                f"{self.where()}: config has {name!r} already.\n  Got it twice in one function.\n"
                "  Choose another name, or attach it once."
            )
        self.config[self._lead + name] = value

    def claim(self, name: str, kind: str) -> None:
        """Take a name that the user chose."""
        if name in self._names:
            raise DuplicateName(
                f"{self.where()}: names of one function must differ.\n"
                f"  Got {kind} named {name!r} for the second time.\n"
                f"  Make it once, outside of what is called twice, and share it; or give each a part of its own, "
                f'da.sequential(block, name="stage1") and da.sequential(block, name="stage2"). Without name= each gets '
                "a numbered one."
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
        slot = len(self.suffixes) - 1
        if hyperparameter.name is None:
            self._unnamed.add(slot)
        self.created.append(slot)
        return slot

    def name_hyperparameter(self, slot: int, path: str) -> None:
        """Give a hyperparameter that has no name the path to it in a program."""
        if slot in self._unnamed:
            self._unnamed.remove(slot)
            self.suffixes[slot] = self.free_name(path)

    def uses(self, hyperparameter: Hyperparameter) -> bool:
        """Return whether this function itself uses a hyperparameter, in a module or as configuration."""
        used = self._uses
        if used is None:
            arguments = [h for call in self.calls for _, h in call.module.open_arguments]
            used = {id(h) for h in dependence.closure([*arguments, *self.config.values()])}
            self._uses = used if self.finished else None
        return id(hyperparameter) in used

    def add_module(self, module: Module) -> None:
        """Take in a module that was just made: name it, and its hyperparameters that have no name yet."""
        self._check_recording(module.base_name)
        if module.path is not None:
            module.name_in_owner = module.path
        elif module.explicit_name:
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
            if hyperparameter.owner is self and hyperparameter.slot in self._unnamed:
                self._suffix(hyperparameter.slot, of_argument(name, argument))
            elif hyperparameter.owner is None and self is self.program.root:
                self.program.adopt(hyperparameter, self, of_argument(name, argument))

    def _check_recording(self, what: str) -> None:
        if self.finished:
            raise ScopeError(f"{self.where()}: {what} was made after its function had returned.")

    def call(self, module: Module, values: Sequence[Value]) -> Value:
        """Record a call of `module` on `values`."""
        home = self.levels_to(module.owner, module)
        name = module.name_in_owner if module.owner is not None else self.program.adopt_module(module, self)
        inputs = tuple([self._reference(value, module) for value in values])
        inputs += tuple([self._reference(measure.value, module) for measure in module.measures])
        call = Call(module, name, home, inputs, self.n_slots)
        module.shared = module.shared or home != 0 or module in self._called
        self._called.add(module)
        call.lexical = module.lexical_levels(self)
        self.calls.append(call)
        self.call_at[call.index] = call
        self.created.append(call)
        self.n_slots += 1
        return Value(self, call.index)

    def levels_to(self, owner: Recorder | None, what: object) -> int:
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
        self.steps, used = compiled(self, wanted, with_config=True)
        self.live_calls = [call for call in self.calls if call.index in used]
        only = self.outputs[0] if len(self.outputs) == 1 else None
        self.sole_output = only.place if only and only.levels == 0 and only.port is None else -1
        self.blank = [None] * (self.n_slots - self.n_inputs)
        self.unset = [UNSET] * len(self.hyperparameters)
        self.uses_every_input = all(i in used for i in range(self.n_inputs))
        self.plain = self.uses_every_input and not self.captures and not self.of_rule
        self.finished = True

    def _collect(self, returned: Any) -> tuple[tuple[Value, ...], tuple[str, ...]]:
        if not is_kind(returned, Value) and not _are_values(returned):
            from deep_arch.language.recording import record  # late: programs are recorded into fragments
            from deep_arch.language.written import is_program

            returned = record(returned) if is_program(returned) else returned
        if isinstance(returned, Value):
            return (returned,), ("output",)
        names: tuple[str, ...] | None = None
        if isinstance(returned, Mapping):
            names, returned = tuple(returned), tuple(returned.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            if not all(is_kind(name, str) for name in names):
                raise BadArgument(
                    f"{self.where()}: the names of outputs are texts.\n  Got the keys {list(names)!r}.\n"
                    '  Return {"class": a, "box": b}, or a tuple, which is taken by position.'
                )
            self.outputs_are_named = True
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
        for value in returned if names else ():  # a name is that of one value
            if value.port is None and value.index >= value.fragment.n_inputs:
                value.fragment.call_at[value.index].used_whole = True
        return tuple(returned), names or tuple(f"output_{i}" for i in range(len(returned)))

    def _name_the_rest(self) -> None:
        for key, value in self.config.items():
            if isinstance(value, Hyperparameter) and value.owner is self and value.slot in self._unnamed:
                self._suffix(value.slot, self._lead + self.free_name(key.removeprefix(self._lead)))
        for slot in sorted(self._unnamed):
            self._suffix(slot, self._lead + self.free_name(base_name(self.hyperparameters[slot])))

    def _suffix(self, slot: int, suffix: str) -> None:
        self._unnamed.discard(slot)
        self.suffixes[slot] = suffix

    def steps_for(self, index: int) -> tuple[Step, ...]:
        """Return the steps that lead to the result of one call, for a function that captured it."""
        steps = self._steps_for.get(index)
        if steps is None:
            steps = self._steps_for[index] = compiled(self, [index], with_config=False)[0]
        return steps


def of_argument(name: str, argument: str) -> str:
    """Return the address of what decides an argument of a module: `conv.filters`, or `conv[0]` for one by place."""
    return name + argument if argument.startswith("[") else f"{name}.{argument}"


def current_fragment() -> Fragment | None:
    """Return the innermost fragment that this thread records, or None outside every search-space function."""
    recorder = scope.current()
    return recorder if isinstance(recorder, Fragment) else None


def _are_values(returned: Any) -> TypeGuard[Sequence[Value]]:
    return isinstance(returned, tuple | list) and all(isinstance(v, Value) for v in cast("Sequence[Any]", returned))


def base_name(hyperparameter: Hyperparameter) -> str:
    """Return the name of a hyperparameter that no module of its own function uses."""
    if isinstance(hyperparameter, Independent):
        return hyperparameter.kind.word
    return "dependent"
