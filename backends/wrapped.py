"""Modules made of a framework's own classes: what the `wrap` of each backend gives."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from deep_arch.errors import BadArgument, DeepArchError, ShapeMismatch
from deep_arch.language.modules import Wrapped
from deep_arch.language.specs import Spec
from deep_arch.language.wrapping import bind, meant

_Native = TypeVar("_Native", bound="NativeModule")


class Measured(NamedTuple):
    """What one run without numbers told of a module.

    Attributes:
        outputs: the spec of each output.
        parameters: how many numbers an optimizer changes.
        non_trainable: how many others are saved, such as running means.
        macs: multiply-accumulates for one example; 0 where the framework does not count them.
    """

    outputs: tuple[Spec, ...]
    parameters: int
    non_trainable: int
    macs: int = 0


class NativeModule(Wrapped):
    """A framework's layer whose arguments may be hyperparameters; its shape and cost rules ask the layer itself.

    Attributes:
        arrays: what the layer takes, for messages.
    """

    arrays: ClassVar[str]

    @classmethod
    @abstractmethod
    def measure(
        cls, name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: tuple[Spec, ...]
    ) -> Measured:
        """Make the layer and run it without numbers; the framework's own errors may go through."""

    @classmethod
    def of(cls: type[_Native], module: Wrapped) -> _Native:
        """Return what `da.wrap` gave as a module of this kind."""
        return cls(module.factory, module.arguments, module.base_name, module.n_outputs)

    def shape(self, *inputs: Spec) -> Spec | tuple[Spec, ...]:
        """Return the output's spec, or one for each output.

        Raises:
            ShapeMismatch: the layer cannot be made, does not take the inputs, or gives something else.
            BadArgument: what was wrapped makes neither a layer nor a function.
        """
        outputs = self._measured(inputs).outputs
        if len(outputs) != self.n_outputs:
            raise ShapeMismatch(
                f"{self.base_name}: expected as many outputs as wrap was told, {self.n_outputs}.\n"
                f"  Got {len(outputs)} from {_listed(inputs)}.\n  Write wrap(..., outputs={len(outputs)})."
            )
        return outputs[0] if len(outputs) == 1 else outputs

    def parameters(self, *inputs: Spec) -> int:
        """Return the number of trained parameters."""
        return self._measured(inputs).parameters

    def non_trainable(self, *inputs: Spec) -> int:
        """Return the number of other numbers that are saved, such as running means."""
        return self._measured(inputs).non_trainable

    def macs(self, *inputs: Spec) -> int:
        """Return the multiply-accumulates for one example that the framework counts."""
        return self._measured(inputs).macs

    def _measured(self, inputs: tuple[Spec, ...]) -> Measured:
        # 1, 1.0 and True are equal, and another argument each.
        items = tuple([_typed(key, value) for key, value in self.arguments.items()])
        kind: Any = type(self)
        try:
            hash(items)
        except TypeError:
            return _measure(kind, self.base_name, self.factory, self.arguments, inputs)
        return _remembered(kind, self.base_name, self.factory, items, inputs)


def maker(
    kind: type[_Native], factory: Callable[..., Any], outputs: int, instances: type, expected: str, example: str
) -> Callable[..., _Native]:
    """Return a function that makes modules of a kind, with the factory's arguments and `name=`.

    Args:
        kind: of the modules.
        factory: what was wrapped.
        outputs: how many arrays its layer returns.
        instances: what the factory makes, and is not to be.
        expected: what the factory should be, for messages.
        example: how to wrap right.

    Raises:
        BadArgument: `factory` cannot be called, or is a layer already.
    """
    factory = meant(factory)
    if not callable(factory) or isinstance(factory, instances):
        raise BadArgument(
            f"wrap: expected {expected}.\n  Got {factory!r} ({type(factory).__name__}).\n"
            f"  Write {example}, without a call."
        )

    @functools.wraps(factory, updated=())
    def make(*args: Any, name: str | None = None, **kwargs: Any) -> _Native:
        return kind(factory, bind(factory, args, kwargs), name, outputs)

    return make


def _typed(key: str, value: object) -> tuple[str, type[object], object]:
    return key, type(value), value


@functools.lru_cache(maxsize=4096)
def _remembered(
    kind: type[NativeModule],
    name: str,
    factory: Callable[..., Any],
    items: tuple[tuple[str, type[object], object], ...],
    inputs: tuple[Spec, ...],
) -> Measured:
    return _measure(kind, name, factory, {key: value for key, _, value in items}, inputs)


def _measure(
    kind: type[NativeModule],
    name: str,
    factory: Callable[..., Any],
    arguments: Mapping[str, Any],
    inputs: tuple[Spec, ...],
) -> Measured:
    try:
        return kind.measure(name, factory, arguments, inputs)
    except DeepArchError:
        raise
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ShapeMismatch(
            f"{name}: expected inputs and arguments that {getattr(factory, '__name__', factory)} takes.\n"
            f"  Got {_listed(inputs)} for ({given}), and {type(error).__name__}: {error}.\n"
            f"  Change the arguments, or what comes before; arrays are {kind.arrays}."
        ) from error


def _listed(inputs: Sequence[Spec]) -> str:
    return ", ".join(map(str, inputs))
