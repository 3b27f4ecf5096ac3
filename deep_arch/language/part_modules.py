"""The modules that stand for parts of a program in a fragment: what makes an object, and what is decided first."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from deep_arch.language.copies import check_times, check_value
from deep_arch.language.filling import Filling
from deep_arch.language.fragment import current_fragment
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import Wrapped
from deep_arch.language.parts import candidate_step, children, is_open
from deep_arch.language.recording import Recording, record
from deep_arch.language.substitution import Substitution, where_is
from deep_arch.language.substitutions import check_key, check_keys
from deep_arch.language.values import Value
from deep_arch.language.wrapping import name_of

if TYPE_CHECKING:
    from deep_arch.language.fragment import Fragment
    from deep_arch.language.program import Program


class Maker(Wrapped):
    """A module that makes an object, or writes down what a program says for it, once every value is known.

    Attributes:
        written: what it takes as it was written, each with its step, such as `filters` or `[0]`.
    """

    source: bool = True
    makes: ClassVar[bool] = True
    written: Sequence[tuple[str, Any]] = ()

    @property
    def title(self) -> str:
        """What a reader knows it by."""
        return name_of(self.factory)

    @abstractmethod
    def make(self, taken: Sequence[Any], given: Sequence[Any], real: bool) -> Any:
        """Return the object.

        Args:
            taken: the values of the open arguments.
            given: what stands at the inputs.
            real: whether objects are made; else what is written in a program for them.
        """


class Held(Maker):
    """Makes what is no part itself: a plain value, that of a hyperparameter, or what holds such and parts."""

    def __init__(self, recording: Recording, value: Any, path: str) -> None:
        self._filling = Filling(recording, (value,), {})
        self.inputs, self.written = self._filling.inputs, self._filling.written
        kind: Any = value.__class__
        is_plain = isinstance(value, Hyperparameter) or not children(value)
        super().__init__(_value if is_plain else kind, self._filling.arguments, path=path)
        self.base_name = "value" if is_plain else self.base_name

    def make(self, taken: Sequence[Any], given: Sequence[Any], real: bool) -> Any:
        return self._filling.row(taken, given, real)[0]


def _value(value: Any) -> Any:
    return value


class Listed(Maker):
    """Makes a list of what stands at its inputs."""

    def __init__(self, path: str) -> None:
        super().__init__(list, {}, path=path)

    def make(self, taken: Sequence[Any], given: Sequence[Any], real: bool) -> Any:
        return [*given]


def record_value(recording: Recording, value: Any) -> Value:
    """Record what is no part itself, whose contents are recorded."""
    held = Held(recording, value, "")
    return recording.call(held, held.inputs)


class Undecided(Substitution):
    """A part that is recorded once it is decided; names inside begin with the path to it."""

    lead: str = "."
    source: bool = True

    @property
    def title(self) -> str:
        """What a reader knows it by."""
        return self.base_name


class OnePart(Undecided):
    """One of several candidates."""

    def __init__(self, recording: Recording, candidates: Mapping[Any, Any], which: Any, path: str) -> None:
        self.candidates = candidates
        super().__init__({"which": which}, default_name="choice", path=recording.path(path, "choice"))
        self._memories = recording.memories("one", candidates.values(), tuple(candidates))
        check_keys(which, candidates, where_is(self), "candidates")

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        check_key(arguments["which"], self.candidates, address, "candidates")
        return candidate_step(arguments["which"])

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        return record(self.candidates[arguments["which"]])


class _PartCopy(Undecided):
    """One of several copies of a part, which share what they unfold to."""

    def __init__(self, of: _PartCopies, part: Any, index: int, label: str) -> None:
        super().__init__({}, default_name="copy", path=f"{index}]")
        self._of, self._part, self._label, self._index = of, part, label, index
        self._memories = of.memories.setdefault(id(part), {})

    @property
    def title(self) -> str:
        return f"{self.base_name} {self._index}"

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        return self._label

    def lexical_levels(self, fragment: Fragment) -> int:
        return fragment.levels_to(self._of.owner, self)

    def enclosing(self, program: Program) -> Fragment:
        return self._of.enclosing(program)

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        return record(self._part)


class _PartCopies(Undecided):
    """A list of copies of parts; what one part unfolds to is shared by its copies."""

    def __init__(self, arguments: Mapping[str, Any], word: str, path: str) -> None:
        self.memories: dict[int, dict[int, dict[Any, Fragment]]] = {}
        super().__init__(arguments, default_name=word, path=path)

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        return "["  # the copies in it are called 0], 1], ...: no two fragments stand at one place

    def _listed(self, parts: Sequence[Any], labels: Sequence[str]) -> Value:
        recorder = current_fragment()
        assert recorder is not None, "what a substitution unfolds to is recorded"
        pairs = enumerate(zip(parts, labels, strict=True))
        return recorder.call(Listed("]"), [recorder.call(_PartCopy(self, p, i, label), []) for i, (p, label) in pairs])


class SeveralParts(_PartCopies):
    """A list of several of several candidates, by their positions."""

    def __init__(self, recording: Recording, candidates: Sequence[Any], taken: Any, path: str) -> None:
        self.candidates = dict(enumerate(candidates))
        super().__init__({"taken": taken}, taken.kind.word, recording.path(path, taken.kind.word))
        self.closed = not any(map(is_open, candidates)) and not recording.uses_any(candidates)

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        taken: tuple[int, ...] = arguments["taken"]
        return self._listed([self.candidates[i] for i in taken], [f"[{i}]" for i in taken])


class CopiedParts(_PartCopies):
    """A list of as many copies of a part as a hyperparameter says."""

    def __init__(self, recording: Recording, part: Any, times: Any, path: str) -> None:
        self._part = part
        super().__init__({"times": times}, "copies", recording.path(path, "copies"))
        check_times(self, self.arguments["times"])

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        check_value(arguments["times"], address)
        return super().label(arguments, address)

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        times: int = arguments["times"]
        return self._listed([self._part] * times, [""] * times)


def record_list(recording: Recording, values: Sequence[Value], path: str) -> Value:
    """Record a list of what stands at some values."""
    return recording.call(Listed(recording.path(path, "list")), values)
