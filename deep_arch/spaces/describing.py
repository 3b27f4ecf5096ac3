"""Describing: the structure of a space as lines of text, by which another process sees whether it has the same space.

There is a line for each hyperparameter, call, and result of each function that the space can unfold to. A function
stands where it is first met, and addresses begin there; where one function is met again, a line says as what. What is
said is the structure: names of variables, comments, and how the functions are written do not count.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import DeepArchError
from deep_arch.language.dependence import evaluate, roots
from deep_arch.language.domains import Real
from deep_arch.language.formulas import ShapeOf
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.holes import Holed
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.modules import Module, Operation, Wrapped
from deep_arch.language.qualified import module_of
from deep_arch.language.values import ROOT, Reference, Value
from deep_arch.spaces.exclusions import Exclusion
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Both
from deep_arch.spaces.walking import Met, Walk
from deep_arch.spaces.wording import Wording, shortened

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace

_N_SAMPLES: Final = 8
"""Values of a computed hyperparameter that are shown: enough to tell a changed formula from the one before."""

_MOST_CHANGES: Final = 12
"""Lines of changes that are shown: what fits on a screen under a message."""


def description(space: SearchSpace) -> tuple[str, ...]:
    """Return the structure of a space as lines of text, which are equal for equal spaces, in every process.

    Functions of computed hyperparameters and predicates go by their names, and the former also by some values.
    """
    return tuple(_Describer(space).lines())


def digest(lines: Sequence[str]) -> str:
    """Return a short text that is equal for equal descriptions."""
    from deep_arch.language.canonical import digest as digest_of  # late: it loads OpenSSL

    return digest_of(*lines)


def changes(before: Sequence[str], now: Sequence[str]) -> str:
    """Return what differs between two descriptions, as lines that begin with `- ` or `+ `: the first ones."""
    matcher = difflib.SequenceMatcher(None, before, now, autojunk=False)
    found: list[str] = []
    for _, i, to_i, j, to_j in [code for code in matcher.get_opcodes() if code[0] != "equal"]:
        for old, new in itertools.zip_longest(before[i:to_i], now[j:to_j]):
            found += [f"{sign} {line}" for sign, line in (("-", old), ("+", new)) if line is not None]
    more = len(found) - _MOST_CHANGES
    return "\n".join([*found[:_MOST_CHANGES], *([f"and {more} lines more"] if more > 0 else [])])


class _Describer:
    def __init__(self, space: SearchSpace) -> None:
        self._space, self._restrictions = space, space.restrictions
        self._words = Wording(module_of(space.program.fn))
        self._walk = Walk(space.program, space.restrictions, self._words)
        self._adopted: dict[Hyperparameter, str] = {}
        self._fixed: set[str] = set()
        self._labels: dict[Fragment, dict[int, str]] = {}

    def lines(self) -> Iterator[str]:
        program, restrictions = self._space.program, self._restrictions
        met = list(self._walk.met(program.root))
        yield f"{len(program.input_names)} inputs"
        yield from (f"where {name}" for name in self._predicates(restrictions.predicate))
        yield from [f"without {self._exclusion(each)}" for each in getattr(restrictions.excluded, "exclusions", ())]
        if restrictions.max_depth is not None:
            yield f"rules nest at most {restrictions.max_depth} deep"
        if restrictions.max_size is not None:
            yield f"at most {restrictions.max_size} rules are applied"
        for each in met:
            yield from self._of_fragment(each)
            yield from each.notes
        root = met[0].place
        seen: set[Hyperparameter] = set()
        while new := sorted([(t, h) for h, t in self._adopted.items() if h not in seen], key=lambda pair: pair[0]):
            seen.update(h for _, h in new)
            yield from [self._of_hyperparameter(root, text, h) for text, h in new]
        rest = {a: value for a, value in restrictions.fixed.items() if a not in self._fixed}
        yield from [f"{a}: fixed to {self._words.of(rest[a])}" for a in sorted(rest)]

    def _predicates(self, predicate: Any) -> Iterator[str]:
        if isinstance(predicate, Both):
            yield from [*self._predicates(predicate.first), *self._predicates(predicate.second)]
        elif predicate is not None:
            yield self._words.of(predicate)

    def _exclusion(self, exclusion: Exclusion) -> str:
        said = self._words.of(exclusion.predicate or exclusion.values)
        return said if exclusion.key is None else f"{exclusion.key}: {said}"

    def _of_fragment(self, met: Met) -> Iterator[str]:
        place, fragment, lead = met.place, met.place.fragment, met.shown
        for suffix, hyperparameter in zip(fragment.suffixes, fragment.hyperparameters, strict=True):
            if hyperparameter.owner is not None:  # what was made outside comes at the end
                yield self._of_hyperparameter(place, lead + suffix, hyperparameter)
        for name, value in fragment.config.items():
            yield f"{lead}config {name} = {self._argument(fragment, value)}"
        for call in fragment.calls:
            yield lead + self._of_call(fragment, call)
        names = (
            [f"{name}=" for name in fragment.output_names]
            if fragment.outputs_are_named
            else [""] * len(fragment.outputs)
        )
        given = [n + self._reference(fragment, ref) for n, ref in zip(names, fragment.outputs, strict=True)]
        yield f"{lead and lead + ' '}returns {', '.join(given)}"

    # --- hyperparameters ---------------------------------------------------------------------------------------------

    def _of_hyperparameter(self, place: Place, name: str, hyperparameter: Hyperparameter) -> str:
        tag = "" if hyperparameter.tag is None else f", tagged {hyperparameter.tag}"
        if isinstance(hyperparameter, Independent):
            return f"{name}: {self._domain(place, hyperparameter)}{tag}{self._state(place, hyperparameter)}"
        return f"{name}: {self._formula(place.fragment, hyperparameter)}{tag}"

    def _domain(self, place: Place, hyperparameter: Independent) -> str:
        depending = hyperparameter.depending
        if depending is None:
            text = self._words.domain(hyperparameter.domain)
            text += " or a hole" if isinstance(hyperparameter.domain, Holed) else ""
        else:
            said = [self._argument(place.fragment, parent) for parent in depending.parents]
            text = f"{depending.kind.word}({', '.join(said)})"
        levels = self._restrictions.levels if issubclass(hyperparameter.kind, Real) else None
        return f"{text} at {levels} levels" if levels else text

    def _state(self, place: Place, hyperparameter: Independent) -> str:
        fixed = self._walk.alternatives.fixed(place, roots([hyperparameter]))
        if hyperparameter in fixed:
            self._fixed.add(str(place.address_of(hyperparameter)))
            return f", fixed to {self._words.of(fixed[hyperparameter])}"
        return ", left open" if self._walk.alternatives.left_open(place, hyperparameter) else ""

    def _formula(self, fragment: Fragment, hyperparameter: Any) -> str:
        if isinstance(hyperparameter, ShapeOf):
            return f"{self._words.of(hyperparameter.fn)} of {self._value(fragment, hyperparameter.value)}"
        parents = ", ".join([self._argument(fragment, parent) for parent in hyperparameter.parents])
        return f"{self._words.of(hyperparameter.fn)}({parents}){self._samples(hyperparameter)}"

    def _samples(self, dependent: Dependent) -> str:
        """Return some values of a computed hyperparameter where only the name of its function is known."""
        if dependent.needs_shapes or module_of(dependent.fn).partition(".")[0] in ("_operator", "deep_arch"):
            return ""
        values: list[str] = []
        for binding in itertools.islice(self._walk.combinations(None, roots([dependent])).bindings, _N_SAMPLES):
            try:
                value = evaluate(dependent, binding)
            except DeepArchError as error:
                values.append(type(error).__name__)
            else:  # the last digits of a float may be other ones on another machine
                values.append(f"{value:.9g}" if type(value) is float else self._words.of(value))
        return f", such as {', '.join(values)}"

    # --- calls -------------------------------------------------------------------------------------------------------

    def _of_call(self, fragment: Fragment, call: Call) -> str:
        module = call.module
        n_outputs = f" giving {module.n_outputs}" if isinstance(module, Wrapped) and module.n_outputs != 1 else ""
        of = ", ".join([self._reference(fragment, ref) for ref in call.inputs[: call.n_inputs]])
        made = f"{self._words.kind(module)}({', '.join(self._arguments(fragment, module))})"
        return f"{self._label(fragment, call)} = {made}{n_outputs}{f' of {of}' if of else ''}"

    def _arguments(self, fragment: Fragment, module: Module) -> Iterator[str]:
        """Yield the arguments of a module that are not the defaults of its class."""
        fields: Any = dataclasses.fields(module) if isinstance(module, Operation) else ()
        defaults = {f.name: self._words.of(f.default) for f in fields}
        for name, value in module.arguments.items():
            text = self._argument(fragment, value)
            if defaults.get(name) != text:
                yield f"{name}={text}"

    def _argument(self, fragment: Fragment, value: Any) -> str:
        if not isinstance(value, Hyperparameter):
            return self._words.of(value)
        try:
            slot = fragment.slot_of(value)
        except DeepArchError:  # what nothing uses may have no name
            return value.text
        name = fragment.owner_at(slot.levels).suffixes[slot.place]
        if value.owner is None:
            self._adopted[value] = name
            return f"/{name}"
        return "../" * slot.levels + name

    def _value(self, fragment: Fragment, value: Value) -> str:
        levels = fragment.levels_to(value.fragment, value)
        return self._reference(fragment, Reference(levels, value.index, value.port))

    def _reference(self, fragment: Fragment, reference: Reference) -> str:
        """Return what a value is called from here: by the call that gives it, `../` for each function further out."""
        home = fragment.owner_at(reference.levels)
        is_input = reference.place < home.n_inputs
        name = f"input {reference.place}" if is_input else self._label(home, home.call_at[reference.place])
        return _up(reference.levels) + name + ("" if reference.port is None else f"[{reference.port}]")

    def _label(self, fragment: Fragment, call: Call) -> str:
        """Return what a call is called in its function: by its module, and by a number if that is called again."""
        labels = self._labels.get(fragment)
        if labels is None:
            labels, counts = self._labels.setdefault(fragment, {}), dict[str, int]()
            for each in fragment.calls:
                name = _up(each.home) + each.name
                counts[name] = n = counts.get(name, 0) + 1
                labels[each.index] = shortened(name if n == 1 else f"{name} again ({n})")
        return labels[call.index]


def _up(levels: int) -> str:
    return "/" if levels == ROOT else "../" * levels
