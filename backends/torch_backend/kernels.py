"""Kernels: one operation at one address of a super-network, ready to run on inputs of one shape.

An operation is lowered as for a built model, into a graph of its own, whose parameters are replaced at each call by
slices of the shared ones. These are looked up anew each time, so that `to`, `functional_call` and an optimizer that
swaps them work, and nothing is kept between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from deep_arch.backends.build_plan import BuildStep
from deep_arch.backends.lowerings import lowering, results
from deep_arch.backends.torch_backend.context import Emitter
from deep_arch.backends.torch_backend.initial import Undrawn
from deep_arch.backends.torch_backend.lowerings import LOWERINGS
from deep_arch.backends.torch_backend.storage import Layout
from deep_arch.language.modules import Wrapped
from deep_arch.language.specs import Spec
from deep_arch.supernets.slices import Factor, Segments, positions

OWN = "own"
"""The path of the one operation's submodule."""

Taken = Any
"""What takes a slice out of a tensor: None for the whole, or for each axis a slice or a tensor of positions."""


class Part(NamedTuple):
    """One tensor of an operation, and where it comes from.

    Attributes:
        owner, name: the submodule and its attribute.
        held, key: what holds the shared tensor, a module's dict of parameters or buffers, and its name there.
        taken: the slice of it.
        moves: whether running the operation changes it.
    """

    owner: nn.Module
    name: str
    held: dict[str, Any]
    key: str
    taken: Taken
    moves: bool

    def read(self) -> Tensor:
        """Return the slice."""
        full: Tensor = self.held[self.key]
        return full if self.taken is None else take(full, self.taken)

    def write(self, tensor: Tensor) -> None:
        """Set the slice."""
        _put_back(self.held[self.key], self.taken, tensor)


def lowered(operation: Any, address: str, specs: Sequence[Spec]) -> tuple[nn.Module, fx.Graph]:
    """Return one operation as a module, whose own submodules stand at `own`, and the graph that calls these."""
    n_outputs = operation.count_outputs(len(specs))
    graph, root = fx.Graph(), nn.Module()
    nodes = [graph.placeholder(f"x{i}") for i in range(len(specs))]
    outputs = tuple(range(n_outputs))
    step = BuildStep(address, operation, address, OWN, (), outputs, tuple(specs), False, False, False)
    wrapped = isinstance(operation, Wrapped)
    emit = Emitter(graph, root, OWN, False, None if wrapped else getattr(torch, step.dtype))
    lower = lowering(step, LOWERINGS, "to_torch", "torch_backend", "Give the class a method `to_torch`.")
    if hasattr(operation, "to_torch"):
        given = lower(emit, specs, *nodes)
    else:
        with Undrawn():
            given = lower(emit, specs, *nodes)
    written = results(step, given, fx.Node, "to_torch")
    graph.output(written[0] if n_outputs == 1 else written)
    return root, graph


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Return what the one operation holds that is saved, by torch's names below it."""
    saved: Mapping[str, Any] = dict(module.named_parameters())
    saved = {**saved, **{name: b for name, b in module.named_buffers() if name in module.state_dict()}}
    return {name.removeprefix(f"{OWN}."): tensor for name, tensor in saved.items()}


class Kernel:
    """One operation at one address, ready to run on inputs of one shape.

    Args:
        module, graph: of `lowered`.
        parts: what replaces its tensors.
        channels: which of the widest channels its output has.
    """

    def __init__(self, module: nn.Module, graph: fx.Graph, parts: Sequence[Part], channels: Segments | None) -> None:
        self.channels = channels
        self._module = module
        self._parts = parts
        self._flat = [owner for owner in module.modules() if isinstance(owner, nn.RNNBase)]
        for part in parts:
            part.owner._parameters.pop(part.name, None)
            part.owner._buffers.pop(part.name, None)
        self.norms = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
        self._momenta = [layer.momentum for layer in self.norms]
        self._run = _runner(module, graph)

    def __call__(self, training: bool, tensors: Sequence[Tensor], window: Tensor | None = None) -> Any:
        """Run the operation; a window multiplies its kernel."""
        module = self._module
        if module.training is not training:
            module.train(training)
        for owner, name, held, key, taken, moves in self._parts:
            full = held[key]
            tensor = full if taken is None else take(full, taken)
            if window is not None and name == "weight":
                tensor = tensor * window
            if moves and training:
                tensor = tensor.clone()  # else what another path moves would change what slopes are computed from
            owner.__dict__[name] = tensor
        for layer in self._flat:
            layer._flat_weights = [getattr(layer, name) for name in layer._flat_weights_names]
        result = self._run(*tensors)
        for owner, name, held, key, taken, moves in self._parts:
            after = owner.__dict__.pop(name)
            if moves and training:
                _put_back(held[key], taken, after)
        return result

    def to(self, device: torch.device) -> Kernel:
        """Move what is not shared to a device."""
        self._module.to(device)
        return self

    def average(self, n: int | None) -> None:
        """Let the statistics be the mean over n batches once the n-th has run; None for the operation's own rule."""
        for layer, momentum in zip(self.norms, self._momenta, strict=True):
            layer.momentum = momentum if n is None else 1.0 / n

    def named_parts(self) -> Iterator[tuple[str, Part]]:
        """Yield the parts by their paths in the operation's module."""
        names = {id(owner): name for name, owner in self._module.named_modules()}
        for part in self._parts:
            yield f"{names[id(part.owner)]}.{part.name}", part


Make = Callable[[str, Any, tuple[Spec, ...], Sequence[Segments | None]], Kernel]

_MOST: Final = 20_000
"""Kernels that are kept; there is no end of them where widths come in very many combinations."""


class Kernels:
    """The kernels that were needed so far, each made once.

    Args:
        make: makes one, of an address, an operation with values, and the specs and channels of its inputs.
    """

    def __init__(self, make: Make) -> None:
        self._make = make
        self._known: dict[Any, Kernel] = {}

    def at(
        self,
        address: str,
        module: Any,
        values: tuple[Any, ...],
        tensors: Sequence[Tensor],
        channels: Sequence[Segments | None],
    ) -> Kernel:
        """Return what runs a module, at some values of its open arguments, on inputs like these tensors."""
        sizes = [(t.shape[1:], t.dtype, t.device) for t in tensors]
        key: Any = (address, values, *map(type, values), *sizes, *channels)  # 1 is not True
        try:
            found = self._known.get(key)
        except TypeError:  # an unhashable value
            key = (address, repr(values), *sizes, *channels)
            found = self._known.get(key)
        if found is None:
            if len(self._known) == _MOST:
                self._known.clear()
            specs = tuple([spec_of(tensor) for tensor in tensors])
            made = self._make(address, module.resolved(values), specs, channels)
            found = self._known[key] = made.to(tensors[0].device)
        return found


def spec_of(tensor: Tensor) -> Spec:
    """Return the spec of a tensor."""
    return Spec(tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."))


def _runner(module: nn.Module, graph: fx.Graph) -> Any:
    """Return what runs a module: where it is one call on the inputs as they are, that itself."""
    calls = [node for node in graph.nodes if node.op.startswith("call")]
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(calls) == 1 and [*calls[0].args] == inputs and not calls[0].kwargs:
        target: Any = calls[0].target
        return module.get_submodule(target).forward if calls[0].op == "call_module" else target
    return fx.GraphModule(module, graph)


def _put_back(full: Tensor, taken: Taken, after: Any) -> None:
    """Write what an operation changed into the shared tensor, where it did not change a view of that."""
    with torch.no_grad():
        if taken is None or all(isinstance(each, slice) for each in taken):
            (full if taken is None else full[tuple(taken)]).copy_(after)
            return
        index = torch.arange(full.numel(), device=full.device).view(full.shape)
        full.view(-1)[take(index, taken).reshape(-1)] = after.detach().reshape(-1).to(full)


def take(full: Tensor, taken: Sequence[Any]) -> Tensor:
    """Take a slice: views first, then copies along axes with holes."""
    tensor = full[tuple([each if isinstance(each, slice) else slice(None) for each in taken])]
    for axis, each in enumerate(taken):
        if not isinstance(each, slice):
            tensor = tensor.index_select(axis, each.to(tensor.device))
    return tensor


def native_slices(layout: Layout, most: Layout, neutral: Sequence[Sequence[Factor]]) -> Taken:
    """Return the slice of torch's tensor that holds a part of a neutral weight.

    Args:
        layout: of the part.
        most: of the whole.
        neutral: for each neutral axis what is used of it; see `deep_arch.supernets.slices.factors`.
    """
    if layout.native == most.native and all(taken == range(n) for axis in neutral for taken, n in axis):
        return None
    entries = neutral if len(neutral) == len(layout.split) else [[factor] for axis in neutral for factor in axis]
    by_split: list[Sequence[Factor]] = [()] * len(layout.split)
    for axis, entry in zip(layout.axes, entries, strict=True):
        by_split[axis] = entry
    slices: list[Any] = []
    for group in layout.grouped(by_split):
        found = positions([factor for entry in group for factor in entry])
        slices.append(slice(found.start, found.stop) if isinstance(found, range) else torch.tensor(found))
    return tuple(slices)
