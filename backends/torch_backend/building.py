"""Building: a torch.fx.GraphModule out of a specified architecture."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Sequence

import torch
from torch import fx, nn

from deep_arch.backends.base import seed_number
from deep_arch.backends.build_plan import BuildItem, BuildLoop, BuildStep, build_plan
from deep_arch.backends.lowerings import lowering, results
from deep_arch.backends.torch_backend.context import Emitter, Lowering
from deep_arch.backends.torch_backend.initial import Undrawn, initialise, is_native, seeded
from deep_arch.backends.torch_backend.loops import put_loop
from deep_arch.backends.torch_backend.lowerings import LOWERINGS
from deep_arch.backends.torch_backend.model import Model, Record, Tracer
from deep_arch.backends.torch_backend.storage import Stored
from deep_arch.backends.torch_backend.weights import stored_of
from deep_arch.backends.torch_backend.wrapped import TorchModule
from deep_arch.language.modules import Wrapped
from deep_arch.language.specs import Inputs
from deep_arch.measures.module_names import ModuleNames, identifier
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.regions import inputs_of

# A submodule named `forward` would take the place of the method.
RESERVED = frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph()))) | {"self"}
_READ_BY_CODE = frozenset({"self", "torch", "device", "inf", "nan"})
"""What the code that torch.fx generates reads, so that no input of its function may have such a name."""
_EXAMPLE = """Give the class a method `to_torch(self, emit, specs, *nodes)` that returns the node of its output, such as
  `return emit.function(torch.relu, *nodes)`, or make the module with torch_backend.wrap(a_torch_class)."""


def build(architecture: Architecture, inputs: Inputs, seed: int | None = None) -> fx.GraphModule:
    """Return a specified architecture as a torch model with new weights.

    The model takes the space's inputs in their order or by name (`self_` for `self`, `torch_` for `torch`), and returns
    what the space's function does: a tensor, a tuple of several, or a dict of them. Tensors are
    (batch, channels, *spatial). Submodules are named after addresses: the
    weights of `repeat[1]/conv2d` are `repeat_1.conv2d.weight` and so on, on every machine. Modules that were called
    several times share one submodule.

    An operation of your own is lowered by its method `to_torch(emit, specs, *nodes)`, which is asked before the table
    in `torch_backend.lowerings`: see `Lowering` and `Emitter`.

    Neutral operations begin with the weights that every backend draws for them from the same seed, in the type of their
    inputs; wrapped classes and operations of your own draw theirs as torch does. See `get_weights`, `set_weights`.

    Args:
        architecture: what to build.
        inputs: one spec, or one for each of the space's inputs by name.
        seed: what the weights are drawn from, which leaves torch's global generator as it was. None draws from that
            generator, as torch itself does.

    Raises:
        DeepArchError: what `deep_arch.backends.base.Backend.build` lists.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> net = da.space(lambda x: da.repeat(lambda: ops.Conv2D(da.choice([8, 16]), 3), 2)(x))
        >>> model = build(net.sample(seed=0), da.image(channels=3, height=32, width=32), seed=0)
        >>> model(torch.zeros(4, 3, 32, 32)).shape[0], [name for name, _ in model.named_children()]
        (4, ['repeat_0', 'repeat_1'])
    """
    number = seed_number(seed, "torch_backend")
    todo = build_plan(architecture, inputs, "torch_backend", TorchModule.of)
    graph, root = fx.Graph(tracer_cls=Tracer), nn.Module()
    placeholders = [graph.placeholder(f"{name}_" if name in _READ_BY_CODE else name) for name in todo.inputs]
    nodes = dict(enumerate(placeholders))
    with seeded(number) as drawn_from:
        writer = _Writer(root, ModuleNames(RESERVED))
        writer.write(todo.items, graph, nodes)
        initialise(root, todo, writer.weights, drawn_from)
    graph.output(todo.returned([nodes[i] for i in todo.outputs]))
    _erase_unused(graph)
    record = Record(writer.weights, dict(zip(todo.inputs, todo.specs, strict=False)), todo.output_names)
    model = Model(root, graph, identifier(architecture.space.name), record)
    return model if seed is None else model.to(torch.get_default_device())


class _Writer:
    """What writes the steps of one model.

    Attributes:
        weights: how the weights are stored, by their neutral names.
    """

    def __init__(self, root: nn.Module, names: ModuleNames) -> None:
        self.weights: dict[str, Stored] = {}
        self._root, self._names = root, names

    def write(self, items: Sequence[BuildItem], graph: fx.Graph, nodes: dict[int, fx.Node]) -> None:
        """Write steps into a graph, and give `nodes` what they give by id."""
        for item in items:
            if isinstance(item, BuildLoop):
                self._write_loop(item, graph, nodes)
            else:
                self._write_step(item, graph, nodes)

    def _write_step(self, step: BuildStep, graph: fx.Graph, nodes: dict[int, fx.Node]) -> None:
        emit = Emitter(graph, self._root, self._names.path(step.module_address), step.sizes_vary, _dtype(step))
        lower: Lowering = lowering(step, LOWERINGS, "to_torch", "torch_backend", _EXAMPLE)
        with contextlib.nullcontext() if is_native(step) else Undrawn():
            result = lower(emit, step.specs, *(nodes[i] for i in step.inputs))
        nodes |= zip(step.outputs, results(step, result, fx.Node, "to_torch"), strict=True)
        self.weights |= stored_of(step, self._root, emit.target, is_native(step))

    def _write_loop(self, loop: BuildLoop, graph: fx.Graph, nodes: dict[int, fx.Node]) -> None:
        region, body = loop.region, fx.Graph()
        named = {"state": region.states, "frame": region.frames, "captured": region.captured}
        inside = {i: body.placeholder(f"{kind}_{n}") for kind, ids in named.items() for n, i in enumerate(ids)}
        self.write(loop.items, body, inside)
        body.output(tuple([inside[i] for i in region.given]))
        _erase_unused(body)
        target, outside = put_loop(self._root, self._names.path(region.address), body, region)
        modules = [graph.get_attr(module) for module in outside]
        given = graph.call_module(target, (*[nodes[i] for i in inputs_of(region)], *modules))
        for port, value in enumerate(region.exit.outputs):
            nodes[value] = graph.call_function(operator.getitem, (given, port))


def _dtype(step: BuildStep) -> torch.dtype | None:
    """Return the type of a step's weights; what was wrapped keeps its own."""
    return None if isinstance(step.module, Wrapped) else getattr(torch, step.dtype)


def _erase_unused(graph: fx.Graph) -> None:
    """Drop outputs that nothing takes, and views that only had to be undone."""
    for node in reversed(graph.nodes):
        if node.op == "call_function" and not node.users:
            graph.erase_node(node)
