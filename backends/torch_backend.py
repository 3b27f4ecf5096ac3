"""PyTorch: from an architecture to a torch.fx.GraphModule."""

from __future__ import annotations

import contextlib
import operator
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from deep_arch.backends.torch_emitter import Emitter as Emitter
from deep_arch.backends.torch_emitter import Lowered, Lowering, unpacked
from deep_arch.backends.torch_layers import Function
from deep_arch.backends.torch_names import SubmoduleNames, identifier
from deep_arch.backends.torch_ops import LOWERINGS
from deep_arch.backends.torch_wrapped import wrap as wrap
from deep_arch.errors import BadArgument, NotSpecified, NotSupported, ShapeMismatch
from deep_arch.modules import Module, Wrapped
from deep_arch.specs import Spec

if TYPE_CHECKING:
    from deep_arch.architecture import Architecture


def build(architecture: Architecture, inputs: Spec | Mapping[str, Spec], seed: int | None = None) -> fx.GraphModule:
    """Return a specified architecture as a torch model with new weights.

    The model takes the space's inputs in their order or by name, and returns a tensor, or a tuple of several. Tensors
    are (batch, channels, *spatial). Submodules are named after addresses: the weights of `repeat[1]/conv2d` are
    `repeat_1.conv2d.weight` and so on, on every machine. Modules that were called several times share one submodule.

    An operation of your own is lowered by its method `to_torch(emit, specs, *nodes)`, which is asked before the table
    in `torch_ops`: see `Lowering` and `Emitter`.

    Args:
        architecture: what to build.
        inputs: one spec, or one for each of the space's inputs by name.
        seed: what the weights are drawn from, which leaves torch's global generator as it was. None draws from that
            generator, as torch itself does.

    Raises:
        NotSpecified: hyperparameters are left without a value.
        ShapeMismatch: an operation that its inputs do not fit.
        NotSupported: an operation without lowering.
        BadArgument: `seed` is no int.

    Example:
        model = torch_backend.build(arch, inputs=da.image(channels=3, height=32, width=32))
        logits = model(torch.randn(8, 3, 32, 32))
    """
    _check_specified(architecture)
    specs = architecture.value_specs(inputs)
    calls = architecture.graph.calls
    graph, root, names = fx.Graph(), nn.Module(), SubmoduleNames()
    nodes = [graph.placeholder(name if name != "self" else "self_") for name in architecture.graph.inputs]
    nodes += [nodes[0]] * (len(specs) - len(nodes))  # places for the values that calls make
    varying = _sizes_vary(calls, specs)
    with _seeded(seed):
        for call in calls:
            emit = Emitter(graph, root, names.path(call.module_address), varying[call.module_address])
            given = [specs[i] for i in call.inputs]
            result = _lowering(call.module, call.address)(emit, given, *(nodes[i] for i in call.inputs))
            results = result if isinstance(result, tuple) else (result,)
            for i, node in zip(call.outputs, results, strict=True):
                nodes[i] = node
    outputs = tuple(nodes[i] for i in architecture.graph.outputs)
    graph.output(outputs[0] if len(outputs) == 1 else outputs)
    _erase_unused(graph)
    model = fx.GraphModule(root, graph, class_name=identifier(_name_of(architecture)))
    return model if seed is None else model.to(torch.get_default_device())


def _check_specified(architecture: Architecture) -> None:
    if not architecture.is_specified:
        addresses = [h.address for h in architecture.unassigned]
        shown = ", ".join(addresses[:5]) + (f" and {len(addresses) - 5} more" if len(addresses) > 5 else "")
        raise NotSpecified(
            f"{addresses[0]}: torch_backend.build needs an architecture whose hyperparameters all have values.\n"
            f"  Got one without values for {shown}.\n"
            "  Assign them with architecture.assign(address, value), or draw a whole one with space.sample(seed=0)."
        )


def _name_of(architecture: Architecture) -> str:
    return str(getattr(architecture.space, "name", "") or "Model")


def _sizes_vary(calls: Sequence[Any], specs: Sequence[Spec]) -> dict[str, bool]:
    """Return for each module whether it is called on inputs of several shapes.

    Raises:
        ShapeMismatch: such shapes need parameters of different sizes.
    """
    by_module: defaultdict[str, list[Any]] = defaultdict(list)
    for call in calls:
        by_module[call.module_address].append(call)
    varying = {}
    for address, group in by_module.items():
        given = [tuple(specs[i] for i in call.inputs) for call in group]
        varying[address] = len(set(given)) > 1
        if varying[address] and hasattr(group[0].module, "parameters"):
            _check_tied(group, given)
    return varying


def _check_tied(group: Sequence[Any], given: Sequence[tuple[Spec, ...]]) -> None:
    first, *others = [call.module.parameters(*specs) for call, specs in zip(group, given, strict=True)]
    for call, specs, n in zip(group[1:], given[1:], others, strict=True):
        if n != first:
            raise ShapeMismatch(
                f"{call.address}: expected inputs for which it has as many parameters as at its first call, "
                f"{group[0].address}, whose parameters it shares: {first:,} for {', '.join(map(str, given[0]))}.\n"
                f"  Got {n:,} for {', '.join(map(str, specs))}.\n"
                "  Call it on inputs with the same channels, or construct a module for each call."
            )


def _lowering(module: Module, address: str) -> Lowering:
    """Return what lowers a module, called without the operation."""
    own = getattr(module, "to_torch", None)
    if own is not None:
        return own  # type: ignore[no-any-return]
    if type(module) is Wrapped:
        return lambda emit, specs, *nodes: _call_wrapped(module, address, emit, *nodes)
    for cls in type(module).__mro__:
        if cls in LOWERINGS:
            return lambda emit, specs, *nodes, lower=LOWERINGS[cls]: lower(module, emit, specs, *nodes)
    raise NotSupported(
        f"{address}: torch_backend has no lowering of {type(module).__name__}.\n"
        f"  Got {module!r}.\n"
        "  Give the class a method `to_torch(self, emit, specs, *nodes)` that returns the node of its output, such as\n"
        "  `return emit.function(torch.relu, *nodes)`, or make the module with torch_backend.wrap(a_torch_class)."
    )


def _call_wrapped(module: Wrapped, address: str, emit: Emitter, *nodes: fx.Node) -> Lowered:
    def make() -> nn.Module:
        made = module.factory(**module.arguments)
        if not callable(made):
            raise NotSupported(
                f"{address}: expected {module.base_name} to make an nn.Module or a callable on tensors.\n"
                f"  Got {made!r} ({type(made).__name__}).\n  Wrap a torch class, or a function that returns a function."
            )
        return made if isinstance(made, nn.Module) else Function(made)

    return unpacked(emit.module(make, *nodes), emit, module.n_outputs)


@contextlib.contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Draw from a seed, on the CPU so that each device gets the same weights."""
    if seed is None:
        yield
        return
    try:
        number = operator.index(seed)
    except TypeError:
        raise BadArgument(
            f"torch_backend.build: seed must be an int or None.\n  Got {seed!r} ({type(seed).__name__}).\n"
            "  Give an int such as seed=0."
        ) from None
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(number)
        yield


def _erase_unused(graph: fx.Graph) -> None:
    """Drop outputs that nothing takes, and views that only had to be undone."""
    for node in reversed(graph.nodes):
        if node.op == "call_function" and not node.users:
            graph.erase_node(node)
