"""Fitting: many programs to one task, those of one skeleton as one stack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from deep_arch.backends.build_plan import BuildPlan, build_plan
from deep_arch.backends.initial import draw_weights
from deep_arch.backends.torch_backend.building import build
from deep_arch.backends.torch_backend.initial import is_native
from deep_arch.backends.torch_backend.stacks.alone import fit_alone
from deep_arch.backends.torch_backend.stacks.checks import check_number, check_programs, check_whole
from deep_arch.backends.torch_backend.stacks.second_order import descend, penalties
from deep_arch.backends.torch_backend.stacks.skeletons import Reading, Skeleton, read
from deep_arch.backends.torch_backend.stacks.stack import Stack
from deep_arch.backends.torch_backend.stacks.tasks import Task
from deep_arch.backends.torch_backend.weights import get_weights, set_weights
from deep_arch.backends.torch_backend.wrapped import TorchModule
from deep_arch.backends.weights import as_numbers
from deep_arch.errors import ShapeMismatch, is_kind, wrong_kind
from deep_arch.language.modules import Operation
from deep_arch.spaces.architecture import Architecture

Array = npt.NDArray[Any]

Weights = Mapping[str, Array]
"""Weights by address: `sequence/or[Add]/atom/or[Speed]/dense.kernel` and so on."""

_MOST_NUMBERS: Final = 4_000_000
"""In the Jacobian of a stack: more programs are several stacks, so that what is worked on stays in a cache."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A program with weights.

    Attributes:
        architecture: what was fitted.
        weights: by address.
        names: of the weights in every backend, by address.
        loss, valid_loss: on the examples of training, without what weights cost, and on the others.
        outputs: (examples, outputs) for those others.
        stacked: whether it was fitted in a stack.
    """

    architecture: Architecture
    weights: Weights
    names: Mapping[str, str]
    loss: float
    valid_loss: float
    outputs: Array
    stacked: bool

    @property
    def named_weights(self) -> dict[str, Array]:
        """The weights as `get_weights` of a model names them."""
        return {self.names[address]: weight for address, weight in self.weights.items()}

    def model(self, inputs: Any) -> torch.fx.GraphModule:
        """Return the torch model of the program with these weights.

        Args:
            inputs: the specs of the space's inputs.
        """
        model = build(self.architecture, inputs, seed=0)
        set_weights(model, self.named_weights)
        return model


@dataclass(frozen=True, slots=True)
class Begun:
    """A program before it is fitted.

    Attributes:
        position: among those that are fitted.
        architecture, plan: the program.
        weights: first ones, by address.
        names: theirs in a model, by address.
    """

    position: int
    architecture: Architecture
    plan: BuildPlan
    weights: dict[str, Array]
    names: dict[str, str]


def fit(
    architectures: Sequence[Architecture],
    task: Task,
    starts: Sequence[Mapping[str, Any] | None] | None = None,
    *,
    steps: int = 10,
    noise: float = 0.0,
    seed: int = 0,
) -> list[Fitted]:
    """Fit programs to a task, and return them with their weights, in the same order.

    Programs of one skeleton, which differ in what they compute without weights, are trained as one stack of arrays: a
    few damped second-order steps on all examples. What does not stack, such as what draws random numbers or holds
    modules of a framework, is trained alone by L-BFGS.

    Args:
        architectures: specified, each of one output.
        task: the data and the loss.
        starts: for each the first weights by address, such as `Fitted.weights` of another. `*` in an address stands for
            anything, and a number for all of a weight. What they lack is drawn.
        steps: of second order.
        noise: the deviation of what is added to first weights, so that copies of a part become different.
        seed: of what is drawn.

    Raises:
        BadArgument: no architectures, or not as many first weights; another number of outputs than the task needs;
            numbers below 0.
        DeepArchError: an architecture does not fit the inputs; see `build`.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.backends.torch_backend import stacks
        >>> net = da.space(lambda x: ops.Dense(1)(da.optional(lambda: ops.Dense(da.choice([1, 2])), da.boolean())(x)))
        >>> x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
        >>> task = stacks.Task(x, 3 * x + 1, loss="squared", ridge=0)
        >>> [round(fitted.loss, 2) for fitted in stacks.fit(list(net.enumerate()), task)]
        [0.0, 0.0, 0.0]
    """
    check_programs(architectures, starts)
    if not is_kind(task, Task):
        raise wrong_kind("stacks.fit: task", "a stacks.Task", task, "Write stacks.Task(x, y).")
    check_whole("steps", steps)
    check_whole("seed", seed)
    check_number("stacks.fit: noise", noise)
    begun = _begin(architectures, task, starts, noise, seed)
    groups: defaultdict[Skeleton, list[tuple[Begun, Reading]]] = defaultdict(list)
    found: dict[int, Fitted] = {}
    for program in begun:
        reading = read(program.plan)
        if reading is None:
            found[program.position] = _alone(program, task, steps)
        else:
            groups[reading.skeleton].append((program, reading))
    for group in groups.values():
        for chunk in _chunks(group, task):
            found.update(_fit(chunk, task, steps))
    return [found[i] for i in range(len(begun))]


def _begin(
    architectures: Sequence[Architecture],
    task: Task,
    starts: Sequence[Mapping[str, Any] | None] | None,
    noise: float,
    seed: int,
) -> list[Begun]:
    rng, found = np.random.default_rng(seed), list[Begun]()
    for position, architecture in enumerate(architectures):
        plan = build_plan(architecture, task.train.specs, "torch_backend", TorchModule.of)
        task.check_outputs(prod(plan.specs[plan.outputs[0]].shape), architecture.space.name)
        shapes = _shapes(plan)
        given = (starts[position] if starts is not None else None) or {}
        weights = {address: _given(address, shape, given) for address, (_, shape) in shapes.items()}
        missing = [address for address, weight in weights.items() if weight is None]
        drawn = draw_weights(plan, seed, own="to_torch") if missing else {}
        first = {address: drawn[shapes[address][0]] if w is None else w for address, w in weights.items()}
        noisy = {address: w + noise * rng.standard_normal(w.shape) if noise else w for address, w in first.items()}
        found.append(
            Begun(position, architecture, plan, noisy, {address: name for address, (name, _) in shapes.items()})
        )
    return found


def _shapes(plan: BuildPlan) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the name and shape of each weight that backends draw, by address."""
    return {
        f"{step.module_address}.{name}": (f"{step.path}.{name}", weight.shape)
        for step in plan.steps
        if isinstance(step.module, Operation) and not is_native(step) and not step.tied
        for name, weight in step.module.weights(*step.specs).items()
    }


def _given(address: str, shape: tuple[int, ...], given: Mapping[str, Any]) -> Array | None:
    """Return the first weight that is given for an address, also by a pattern; None for none."""
    found = given.get(address)
    if found is None:
        fits = [
            k for k in given if "*" in k and address.startswith(k.split("*")[0]) and address.endswith(k.split("*")[1])
        ]
        found = given[max(fits, key=len)] if fits else None
    if found is None:
        return None
    array = as_numbers(address, found, "stacks.fit")
    if array.shape in ((), shape):
        return np.full(shape, array)
    raise ShapeMismatch(
        f"{address}: stacks.fit needs first weights of shape {shape}, or one number.\n"
        f"  Got some of shape {array.shape}.\n  Leave out what does not fit, and it is drawn."
    )


def _chunks(group: Sequence[tuple[Begun, Reading]], task: Task) -> Iterator[Sequence[tuple[Begun, Reading]]]:
    """Yield parts of a group, each with a Jacobian of some size."""
    begun, _ = group[0]
    n_weights = sum([weight.size for weight in begun.weights.values()])
    n_outputs = prod(begun.plan.specs[begun.plan.outputs[0]].shape)
    n = max(1, _MOST_NUMBERS // (n_weights * n_outputs * task.train.values.n))
    for i in range(0, len(group), n):
        yield group[i : i + n]


def _fit(group: Sequence[tuple[Begun, Reading]], task: Task, steps: int) -> dict[int, Fitted]:
    programs = [program for program, _ in group]
    try:
        stack = Stack([reading for _, reading in group], task.run)
        found = _fit_stack(stack, [program.weights for program in programs], task, steps)
    except RuntimeError:  # torch cannot run an operation for many programs at once
        return {program.position: _alone(program, task, steps) for program in programs}
    return {
        program.position: Fitted(program.architecture, weights, program.names, loss, valid_loss, outputs, True)
        for program, (weights, loss, valid_loss, outputs) in zip(programs, found, strict=True)
    }


def _fit_stack(
    stack: Stack, starts: Sequence[Weights], task: Task, steps: int
) -> list[tuple[Weights, float, float, Array]]:
    with torch.no_grad():
        inputs = stack.inputs(task.train.values)
        weights = descend(stack, inputs, task.train.loss, stack.packed(starts), penalties(stack, task.ridge), steps)
        losses = task.train.loss.value(stack.outputs(weights, inputs))
        z = stack.outputs(weights, inputs if task.valid is task.train else stack.inputs(task.valid.values))
        valid_losses = task.valid.loss.value(z)
    found = zip(stack.unpacked(weights), losses.tolist(), valid_losses.tolist(), z.numpy(), strict=True)
    return list(found)


def _alone(program: Begun, task: Task, steps: int) -> Fitted:
    model, loss, valid_loss, z = fit_alone(program.architecture, program.weights, program.names, task, steps)
    modules = {step.path: step.module_address for step in program.plan.steps}
    held = get_weights(model)
    names = {address_of(name, modules): name for name in held}
    weights = {address: held[name] for address, name in names.items()}
    return Fitted(program.architecture, weights, names, loss, valid_loss, z, False)


def address_of(name: str, modules: Mapping[str, str]) -> str:
    """Return a weight's address: that of its module, and what the weight is called there.

    Args:
        name: of the weight in every backend.
        modules: addresses by the paths that names begin with.
    """
    path, rest = name, ""
    while path not in modules:
        path, _, last = path.rpartition(".")
        rest = f".{last}{rest}"
    return modules[path] + rest
