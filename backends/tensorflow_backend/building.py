"""Building: a tf.Module out of a specified architecture."""

# TensorFlow has few types.
# pyright: reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from deep_arch.backends.base import seed_number
from deep_arch.backends.build_plan import BuildItem, BuildLoop, BuildPlan, BuildStep, build_plan, given_by, taken_by
from deep_arch.backends.lowerings import lowering
from deep_arch.backends.tensorflow_backend.context import Context
from deep_arch.backends.tensorflow_backend.initial import is_native, made_native, variables_of, weights_of
from deep_arch.backends.tensorflow_backend.loops import Loop
from deep_arch.backends.tensorflow_backend.lowerings import LOWERINGS
from deep_arch.backends.tensorflow_backend.model import Instruction, Model, TensorProgram, known
from deep_arch.backends.tensorflow_backend.wrapped import TensorFlowModule, calling
from deep_arch.language.specs import Inputs, Spec
from deep_arch.measures.module_names import identifier
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.regions import inputs_of

_EXAMPLE = """Give the class a method `to_tensorflow(self, context, *tensors)` that returns its output, such as
  `return tf.nn.relu(*tensors)`, or make the module with tensorflow_backend.wrap(a_tf_module_class)."""

Lowered: TypeAlias = "dict[bool, Callable[..., Any]]"
"""What runs a step, in inference and in training."""


def build(architecture: Architecture, inputs: Inputs, seed: int | None = None) -> Model:
    """Return a specified architecture as a TensorFlow model with new weights.

    The model is called as model(x, training=False), or with the space's inputs by name, and returns what the
    space's function does: a tensor, a tuple of several, or a dict of them. Tensors are (batch, *spatial, channels).
    Variables are named after addresses: those of
    `repeat[1]/conv2d` are `repeat_1/conv2d/kernel` and so on. Modules that were called several times share theirs.

    tf.train.Checkpoint(model=model) saves and restores all state, and tf.saved_model.save(model, folder) saves the
    model in inference, for any batch.

    An operation of your own is lowered by its method `to_tensorflow(context, *tensors)`, which is asked before the
    table in `tensorflow_backend.lowerings`: see `Lowering` and `Context`. Its variables are those that its `weights`
    names.

    Args:
        architecture: what to build.
        inputs: one spec, or one for each of the space's inputs by name.
        seed: what weights, and dropout and noise in training, are drawn from; TensorFlow's global generator stays as it
            was. None draws a seed from that generator.

    Raises:
        DeepArchError: what `deep_arch.backends.base.Backend.build` lists.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> net = da.space(lambda x: da.repeat(lambda: ops.Conv2D(da.choice([8, 16]), 3), 2)(x))
        >>> model = build(net.sample(seed=0), da.image(channels=3, height=32, width=32), seed=0)
        >>> model(tf.zeros((4, 32, 32, 3))).shape[0], list(model.weights)[:2]
        (4, ['repeat_0.conv2d.kernel', 'repeat_0.conv2d.bias'])
    """
    number = seed_number(seed, "tensorflow_backend")
    todo = build_plan(architecture, inputs, "tensorflow_backend", TensorFlowModule.of)
    drawn_from = int(tf.random.uniform((), maxval=2**62, dtype=tf.int64)) if number is None else number % 2**62
    natives = {step.path: made_native(step, number) for step in todo.steps if is_native(step) and not step.tied}
    weights = variables_of(todo, drawn_from, natives)
    generator = tf.random.Generator.from_seed(drawn_from, alg="philox")  # the same on every device
    lower = functools.partial(_lowered, todo, weights=weights, natives=natives, generator=generator)
    instructions = _instructions(todo.items, todo.outputs, lower, todo.specs)
    specs = dict(zip(todo.inputs, todo.specs, strict=False))
    outputs = tuple(zip(todo.output_names, todo.outputs, strict=True))
    program = TensorProgram(
        specs,
        instructions,
        outputs,
        todo.outputs_are_named,
        functools.partial(build, architecture, inputs, drawn_from),
    )
    return Model(identifier(architecture.space.name), program, weights, natives, generator)


def _instructions(
    items: Sequence[BuildItem], outputs: Sequence[int], lower: Callable[..., Lowered], specs: Sequence[Spec]
) -> tuple[Instruction, ...]:
    """Return what runs steps in a row, of whose values `outputs` are needed afterwards."""
    found: list[Instruction] = []
    for item, last in zip(items, _last(items, outputs), strict=True):
        if isinstance(item, BuildLoop):
            region = item.region
            body = _instructions(item.items, [*region.given], lower, specs)
            loops: Lowered = {flag: Loop(item, specs, body, flag) for flag in (False, True)}
            found.append(Instruction(loops, inputs_of(region), region.exit.outputs, last))
        else:
            found.append(Instruction(lower(item), item.inputs, item.outputs, last))
    return tuple(found)


def _last(items: Sequence[BuildItem], outputs: Sequence[int]) -> list[tuple[int, ...]]:
    """Return for each step the values that are not needed after it."""
    needed, last = set(outputs), list[tuple[int, ...]]()
    for item in reversed(items):
        ids = {*taken_by(item), *given_by(item)}
        last.append(tuple(ids - needed))
        needed |= ids
    return last[::-1]


def _lowered(
    todo: BuildPlan,
    step: BuildStep,
    weights: Mapping[str, tf.Variable],
    natives: Mapping[str, Any],
    generator: tf.random.Generator,
) -> Lowered:
    """Return what runs a step in inference and in training."""
    specs = [todo.specs[i] for i in step.outputs]
    if is_native(step):
        return {flag: _checked(calling(natives[step.path], flag), specs) for flag in (False, True)}
    function = lowering(step, LOWERINGS, "to_tensorflow", "tensorflow_backend", _EXAMPLE)
    held = {path.removeprefix(f"{step.path}."): weights[path] for path in weights_of(step)}
    contexts = {flag: Context(held, step.specs, flag, generator) for flag in (False, True)}
    lowered = {flag: functools.partial(function, context) for flag, context in contexts.items()}
    if hasattr(step.module, "to_tensorflow"):
        return {flag: _checked(theirs, specs) for flag, theirs in lowered.items()}
    # A tf.function would rewrite each line of ours, in vain.
    return {flag: tf.autograph.experimental.do_not_convert(ours) for flag, ours in lowered.items()}


def _checked(function: Callable[..., Any], specs: Sequence[Spec]) -> Callable[..., Any]:
    """Return what calls a function of the user, and gives a tuple of tensors whose sizes a graph knows."""

    def call(*tensors: Any) -> tuple[Any, ...]:
        results = function(*tensors)
        results = results if isinstance(results, (tuple, list)) else (results,)
        return tuple([known(x, spec) for x, spec in zip(results, specs, strict=True)])

    return call
