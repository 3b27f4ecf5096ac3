"""Initial weights of a TensorFlow model: those of every backend for neutral operations, the others' own."""

# TensorFlow has few types.
# pyright: reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Generator, Mapping
from typing import Any

import tensorflow as tf

from deep_arch.backends.build_plan import BuildPlan, BuildStep
from deep_arch.backends.initial import draw_weights
from deep_arch.backends.tensorflow_backend.wrapped import TensorFlowModule, native_variables
from deep_arch.language.modules import Operation
from deep_arch.language.weights import Weight


def is_native(step: BuildStep) -> bool:
    """Return whether a step runs a wrapped module, which draws and names its own weights."""
    return isinstance(step.module, TensorFlowModule)


def made_native(step: BuildStep, seed: int | None) -> Callable[..., Any]:
    """Return what a wrapped module's factory makes, with weights drawn from a seed of its own."""
    with contextlib.nullcontext() if seed is None else _seeded(zlib.crc32(f"{seed} {step.path}".encode())):
        module: Any = step.module
        return module.made(step.specs)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _seeded(number: int) -> Generator[None, None, None]:
    """Let a module draw its weights from a seed, and TensorFlow's global generator go on as though it had not."""
    from tensorflow.python.eager import context  # there is no public way to read the state of that generator

    state: Any = context.context()
    seed, rng = state._seed, getattr(state, "_rng", None)  # which there is only once a seed was set
    tf.random.set_seed(number)
    try:
        yield
    finally:
        state._seed, state._rng = seed, rng


def variables_of(todo: BuildPlan, seed: int, natives: Mapping[str, Any]) -> dict[str, tf.Variable]:
    """Return the variables by neutral name, in the order of the calls."""
    drawn, variables = draw_weights(todo, seed), dict[str, Any]()
    for step in todo.steps:
        if step.tied:
            continue
        if is_native(step):
            variables.update(native_variables(natives[step.path], step.path))
        for path, weight in weights_of(step).items():
            name = path.replace(".", "/")
            initial: Any = drawn[path]
            variables[path] = tf.Variable(initial, weight.trained, name=name, dtype=step.dtype)
    return variables


def weights_of(step: BuildStep) -> dict[str, Weight]:
    """Return the weights of a neutral operation, by their whole names."""
    module = step.module
    held = module.weights(*step.specs) if isinstance(module, Operation) else {}
    return {f"{step.path}.{name}": weight for name, weight in held.items()}
