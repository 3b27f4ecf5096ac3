"""PyTorch: from an architecture to a torch.fx.GraphModule."""

from __future__ import annotations

import contextlib
import functools
import operator
from collections import defaultdict
from collections.abc import Generator, Sequence

from deep_arch.extras import missing

try:
    import torch
    from torch import fx, nn
except ImportError as error:
    raise missing("torch") from error

from deep_arch.architecture import Architecture, Inputs
from deep_arch.backends.torch_emitter import Emitter as Emitter
from deep_arch.backends.torch_emitter import Lowering as Lowering
from deep_arch.backends.torch_names import SubmoduleNames, identifier
from deep_arch.backends.torch_ops import LOWERINGS
from deep_arch.backends.torch_wrapped import as_torch
from deep_arch.backends.torch_wrapped import wrap as wrap
from deep_arch.costs import apply_rule, input_specs
from deep_arch.errors import BadArgument, NotSpecified, NotSupported, ShapeMismatch
from deep_arch.graph import GraphCall
from deep_arch.modules import Module, Operation, Wrapped
from deep_arch.specs import Spec


def build(architecture: Architecture, inputs: Inputs, seed: int | None = None) -> fx.GraphModule:
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
        BadArgument: `seed` is no int, an input has no spec, or an argument is of the wrong kind.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> net = da.space(lambda x: da.repeat(lambda: ops.Conv2D(da.choice([8, 16]), 3), 2)(x))
        >>> model = build(net.sample(seed=0), da.image(channels=3, height=32, width=32), seed=0)
        >>> model(torch.zeros(4, 3, 32, 32)).shape[0], [name for name, _ in model.named_children()]
        (4, ['repeat_0', 'repeat_1'])
    """
    _check_specified(architecture)
    specs = _value_specs(architecture, inputs)
    calls = architecture.graph.calls
    graph, root, names = fx.Graph(), nn.Module(), SubmoduleNames()
    places = [graph.placeholder(name if name != "self" else "self_") for name in architecture.graph.inputs]
    nodes = dict(enumerate(places))
    varying = _sizes_vary(calls, specs)
    with _seeded(seed):
        for call in calls:
            emit = Emitter(graph, root, names.path(call.module_address), varying[call.module_address])
            given = [specs[i] for i in call.inputs]
            result = _lowering(call.module, call.address)(emit, given, *(nodes[i] for i in call.inputs))
            results = result if isinstance(result, tuple) else (result,)
            nodes |= zip(call.outputs, results, strict=True)
    outputs = tuple(nodes[i] for i in architecture.graph.outputs)
    graph.output(outputs[0] if len(outputs) == 1 else outputs)
    _erase_unused(graph)
    model = fx.GraphModule(root, graph, class_name=identifier(architecture.space.name))
    return model if seed is None else model.to(torch.get_default_device())


def _check_specified(architecture: Architecture) -> None:
    if not architecture.is_specified:
        # A sub-space made by `where` has nothing left to assign, while other hyperparameters may be open.
        arguments = [
            a for call in architecture.graph.calls for a in call.arguments if a.is_open and a.domain is not None
        ]
        points = architecture.unassigned or arguments
        addresses = list(dict.fromkeys(point.address for point in points))
        shown = ", ".join(addresses[:5]) + (f" and {len(addresses) - 5} more" if len(addresses) > 5 else "")
        where = addresses[0] if addresses else architecture.space.name
        raise NotSpecified(
            f"{where}: torch_backend.build needs an architecture whose hyperparameters all have values.\n"
            f"  Got one without values for {shown or 'what da.config attached'}.\n"
            "  Assign them with architecture.assign(address, value), or draw a whole one with space.sample(seed=0)."
        )


def _value_specs(architecture: Architecture, inputs: Inputs) -> list[Spec]:
    """Return the spec of each value by id, as `Architecture.value_specs` does, but also of what `da.wrap` made."""
    specs = input_specs(architecture, inputs)
    for call in architecture.graph.calls:
        module, given = call.module, tuple(specs[i] for i in call.inputs)
        specs += _wrapped_specs(call, module, given) if type(module) is Wrapped else apply_rule(call, given)
    return specs


def _wrapped_specs(call: GraphCall, wrapped: Wrapped, given: tuple[Spec, ...]) -> tuple[Spec, ...]:
    module = as_torch(wrapped)
    try:
        shape = module.shape(*given)
    except (ShapeMismatch, BadArgument) as error:
        raise type(error)(call.address + str(error).removeprefix(module.base_name)) from error
    return shape if isinstance(shape, tuple) else (shape,)


def _sizes_vary(calls: Sequence[GraphCall], specs: Sequence[Spec]) -> dict[str, bool]:
    """Return for each module whether it is called on inputs of several shapes.

    Raises:
        ShapeMismatch: such shapes need parameters of different sizes.
    """
    by_module: defaultdict[str, list[GraphCall]] = defaultdict(list)
    for call in calls:
        by_module[call.module_address].append(call)
    varying: dict[str, bool] = {}
    for address, group in by_module.items():
        given = [tuple(specs[i] for i in call.inputs) for call in group]
        varying[address] = len(set(given)) > 1
        if varying[address] and isinstance(group[0].module, Operation):
            _check_tied(group, [group[0].module.parameters(*specs) for specs in given], given)
    return varying


def _check_tied(group: Sequence[GraphCall], counts: Sequence[int], given: Sequence[tuple[Spec, ...]]) -> None:
    for call, n, specs in zip(group, counts, given, strict=True):
        if n != counts[0]:
            raise ShapeMismatch(
                f"{call.address}: expected inputs for which it has as many parameters as at its first call, "
                f"{group[0].address}, whose parameters it shares: {counts[0]:,} for {', '.join(map(str, given[0]))}.\n"
                f"  Got {n:,} for {', '.join(map(str, specs))}.\n"
                "  Call it on inputs with the same channels, or construct a module for each call."
            )


def _lowering(module: Module, address: str) -> Lowering:
    """Return what lowers a module, called without the operation."""
    own: Lowering | None = getattr(as_torch(module) if type(module) is Wrapped else module, "to_torch", None)
    if own is not None:
        return own
    for cls in type(module).__mro__:
        if cls in LOWERINGS:
            return functools.partial(LOWERINGS[cls], module)
    raise NotSupported(
        f"{address}: torch_backend has no lowering of {type(module).__name__}.\n"
        f"  Got {module!r}.\n"
        "  Give the class a method `to_torch(self, emit, specs, *nodes)` that returns the node of its output, such as\n"
        "  `return emit.function(torch.relu, *nodes)`, or make the module with torch_backend.wrap(a_torch_class)."
    )


@contextlib.contextmanager
def _seeded(seed: int | None) -> Generator[None, None, None]:
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
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(number)
        yield


def _erase_unused(graph: fx.Graph) -> None:
    """Drop outputs that nothing takes, and views that only had to be undone."""
    for node in reversed(graph.nodes):
        if node.op == "call_function" and not node.users:
            graph.erase_node(node)
