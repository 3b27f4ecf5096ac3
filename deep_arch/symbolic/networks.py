"""Networks inside programs: a search space among the arguments of a call, which gets its architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from deep_arch.errors import BadArgument
from deep_arch.language.expressions import Code
from deep_arch.language.fragment import current_fragment
from deep_arch.language.part_modules import Maker, Undecided
from deep_arch.language.parts import Part
from deep_arch.language.recording import Recording
from deep_arch.language.values import Value
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.frames import Frame
from deep_arch.spaces.space import SearchSpace


class Network(Part):
    """What stands for a search space in a program."""

    __slots__ = ("space",)

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def held(self) -> list[tuple[str, Any]]:
        return []

    def holding(self, held: Sequence[Any]) -> Any:
        return self.space

    def needs(self) -> list[tuple[str, Any]]:
        return []

    def recorded(self, recording: Recording, path: str) -> Value:
        if self.space.restrictions:
            raise BadArgument(
                f"{self.space.name}: only a whole space can be an argument of a recorded call.\n  Got {self.space!r}.\n"
                "  Give the whole space, and restrict the program's: da.space(program).fix(...), where or limit."
            )
        return recording.call(_Network(self.space, recording.path(path, self.space.name)))

    def likeness(self) -> Any:
        return id(self.space.program)

    def title(self) -> str:
        return self.space.name

    def pieces(self) -> list[Any]:
        return [Code(self.space.name)]


class _Network(Undecided):
    """A space unfolded inside a program, under its path and a slash."""

    lead: str = ""

    def __init__(self, space: SearchSpace, path: str) -> None:
        self._space = space
        super().__init__({}, default_name=space.name, path=path)

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        recorder = current_fragment()
        assert recorder is not None, "what a substitution unfolds to is recorded"
        values = [recorder.call(NetworkInput(name), []) for name in self._space.inputs]
        returned: Any = self._space(*values)
        outputs = [returned] if isinstance(returned, Value) else returned
        outputs = [*outputs.values()] if isinstance(outputs, Mapping) else [*(outputs or ())]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return recorder.call(Taken(self._space), outputs)  # pyright: ignore[reportUnknownArgumentType]


class NetworkInput(Maker):
    """An input of a network inside a program."""

    def __init__(self, name: str) -> None:
        super().__init__(str, {}, path=name)
        self.base_name = name

    @property
    def title(self) -> str:
        return "input"

    def make(self, taken: Sequence[Any], given: Sequence[Any], real: bool) -> Any:
        return None


class Taken(Maker):
    """Makes the architecture of a network out of the values that the program around it has."""

    makes: ClassVar[bool] = False

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        super().__init__(Architecture, {}, path="architecture")

    def architecture(self, prefix: str, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture that stands at a prefix of the program's addresses."""

        def choose(_hyperparameter: Any, address: str, _frame: Frame) -> Any:
            inner = prefix + address  # what has a name and was made outside of the network is the program's
            return values[inner] if inner in values else values[address]

        return Architecture(self._space, self._space.unfold(choose))

    def make(self, taken: Sequence[Any], given: Sequence[Any], real: bool) -> Any:
        raise AssertionError("an architecture is made of values, not of objects")
