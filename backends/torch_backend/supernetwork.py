"""Super-networks: every architecture of a space in one module, with shared weights."""

from __future__ import annotations

import contextlib
import copy
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from deep_arch.backends.base import seed_number
from deep_arch.backends.build_plan import build_plan
from deep_arch.backends.initial import draw
from deep_arch.backends.torch_backend.building import RESERVED, build
from deep_arch.backends.torch_backend.initial import seeded
from deep_arch.backends.torch_backend.kernels import OWN, Kernel, Kernels, Part, lowered, native_slices, tensors_of
from deep_arch.backends.torch_backend.loading import (
    Held,
    held_for,
    held_named,
    like,
    names_of,
    no_weights,
    registered,
    write_first,
)
from deep_arch.backends.torch_backend.model import KEY, Record
from deep_arch.backends.torch_backend.relaxing import check_scalar
from deep_arch.backends.torch_backend.storage import Stored, plain, stored_weight
from deep_arch.backends.torch_backend.views import PathView, View, view_of
from deep_arch.backends.torch_backend.weights import get_weights, set_weights, tensors_at
from deep_arch.backends.torch_backend.wrapped import TorchModule
from deep_arch.backends.weights import as_numbers
from deep_arch.errors import NotSpecified, is_kind
from deep_arch.language.domains import Domain
from deep_arch.language.modules import Wrapped
from deep_arch.language.specs import Inputs, Spec
from deep_arch.language.weights import Weight
from deep_arch.measures.module_names import ModuleNames
from deep_arch.measures.shapes import input_specs
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.positions import Share, shared_address
from deep_arch.spaces.space import SearchSpace
from deep_arch.supernets.channels import passed_on
from deep_arch.supernets.shared_weights import SharedWeight, check_space, shared_weights
from deep_arch.supernets.slices import Segments, factors
from deep_arch.supernets.walking import Plans


class SuperNetwork(nn.Module):
    """Every architecture of a space in one module, with shared weights; made by `supernet`.

    Parameters are the largest that any architecture needs, under the names of a built model. `at` gives a view that
    runs one architecture, or a relaxed state, with these.

    Attributes:
        space: whose architectures share the weights.
        decisions: the domain of every hyperparameter that some architecture reaches, by address.
        share: what it was made with.
    """

    space: SearchSpace
    decisions: Mapping[str, Domain]

    def __init__(self, space: SearchSpace, inputs: Inputs, seed: int | None = None, share: Share = None) -> None:
        super().__init__()
        self.space = space
        self.share, self.shared_address = share, shared_address(space, share, "torch_backend.supernet")
        self.specs = dict(zip(space.inputs, input_specs(space.inputs, space.name, inputs), strict=True))
        self.plans = Plans()
        self._local = threading.local()
        self._made: dict[tuple[str, str, tuple[int, ...]], Tensor] = {}
        with seeded(seed_number(seed, "torch_backend")) as number:
            shared = shared_weights(space, self.specs, self._native, TorchModule.of, share)
            self.decisions, self.widest = shared.decisions, shared.widest
            self._held: dict[str, dict[Any, Held]] = {}
            self.meta = {KEY: Record(self._register(shared, number), self.specs, space.program.root.output_names)}
        del self._made

    # --- making --------------------------------------------------------------------------------------------------

    def _native(self, operation: Any, address: str, specs: tuple[Spec, ...]) -> Mapping[str, Weight] | None:
        """Return what an operation holds that lowers itself, and keep what torch drew for it."""
        if not hasattr(operation, "to_torch"):
            return None
        held = tensors_of(lowered(operation, address, specs)[0])
        for name, tensor in held.items():
            self._made.setdefault((address, name, tuple(tensor.shape)), tensor)
        return {name: Weight(tuple(t.shape), 0.0, isinstance(t, nn.Parameter)) for name, t in held.items()}

    def _register(self, shared: Iterable[SharedWeight], seed: int) -> dict[str, Stored]:
        neutral, native = ModuleNames(), ModuleNames(_RESERVED)
        stored: dict[str, Stored] = {}
        for each in shared:
            name = f"{neutral.path(each.address)}.{each.name}"
            while name in stored:  # of another kind, which shares nothing with the one before
                name += "_"
            weight, target = each.weight, native.path(each.address)
            made = self._made.get((each.address, each.name, weight.shape))
            if made is not None:
                held = Stored((f"{target}.{each.name}",), plain(weight.shape))
                tensors = [made.detach()]
            else:
                held = stored_weight(each.operation, each.name, weight.shape, target)
                drawn = torch.from_numpy(draw(weight, (seed % 2**64, zlib.crc32(name.encode()))).copy())
                drawn_parts: Sequence[Tensor] = [drawn] if len(held.paths) == 1 else drawn.unbind()
                tensors = [held.layout.to_native(part, held.layout.native).contiguous() for part in drawn_parts]
                tensors = [tensor.to(getattr(torch, each.dtype)) for tensor in tensors]
            paths = tuple([registered(self, p, t, weight.trained) for p, t in zip(held.paths, tensors, strict=True)])
            stored[name] = Stored(paths, held.layout)
            self._held.setdefault(each.address, {})[each.name, each.key] = Held(paths, held.layout, weight)
        return {name: each for name, each in stored.items() if tensors_at(self, each)[0].is_floating_point()}

    # --- kernels -------------------------------------------------------------------------------------------------

    @property
    def kernels(self) -> Kernels:
        """What runs each operation at each address; of this thread alone, as it holds slices while it runs."""
        found: Kernels | None = getattr(self._local, "kernels", None)
        if found is None:
            found = self._local.kernels = Kernels(self.kernel)
        return found

    def kernel(
        self, address: str, operation: Any, specs: tuple[Spec, ...], channels: Sequence[Segments | None]
    ) -> Kernel:
        """Return what runs a resolved operation on inputs of such specs and channels.

        Raises:
            ShapeMismatch: they do not fit.
        """
        if type(operation) is Wrapped:
            operation = TorchModule.of(operation)
        operation.shape(*specs)
        address = self.shared_address(address)
        module, graph = lowered(operation, address, specs)
        parts = self._parts(address, operation, specs, channels, module)
        passed = passed_on(operation, specs, channels, self.widest.get(address, ()))
        return Kernel(module, graph, parts, passed)

    def _parts(self, address: str, operation: Any, specs: Any, channels: Any, module: Any) -> list[Part]:
        if hasattr(operation, "to_torch"):
            return [
                self._part(module, f"{OWN}.{name}", self._held[address][name, tuple(tensor.shape)].paths[0], None)
                for name, tensor in tensors_of(module).items()
            ]
        found: list[Part] = []
        for name, weight in operation.weights(*specs).items():
            held = held_for(self._held.get(address, {}), address, name, weight)
            small = stored_weight(operation, name, weight.shape, OWN)
            neutral = factors(weight, held.weight, channels)
            taken = native_slices(small.layout, held.layout, neutral[len(small.paths) > 1 :])
            found += [self._part(module, p, full, taken) for p, full in zip(small.paths, held.paths, strict=True)]
        return found

    def _part(self, module: nn.Module, path: str, full: str, taken: Any) -> Part:
        owner, _, name = path.rpartition(".")
        at, _, key = full.rpartition(".")
        holder = self.get_submodule(at)
        held: dict[str, Any] = holder._parameters if key in holder._parameters else holder._buffers
        return Part(module.get_submodule(owner), name, held, key, taken, held is holder._buffers)

    def names_at(self, address: str) -> list[str]:
        """Return the names of the tensors of the module at an address."""
        return names_of(self._held.get(self.shared_address(address), {}).values())

    # --- what it is for ------------------------------------------------------------------------------------------

    def at(self, state: Any) -> View:
        """Return a view that runs one architecture with the shared weights, or a relaxed state.

        A view is a module like a built model: it takes the space's inputs and gives what the space's function does;
        its parameters are the shared ones that the architecture reaches. It costs nothing to make.

        Args:
            state: a trial, an architecture, or values by address, of which some may be `da.Mixture`. Of a trial of a
                relaxed searcher, each decision is what `searcher.weigh` says when it is met.

        Raises:
            BadArgument: what is none of these, or is of another space.
            NotSpecified, MissingValues, ValueOutsideDomain, UnknownAddress: see `SearchSpace.at`.
        """
        shared: Any = self
        return view_of(shared, state)

    def forward(self, *inputs: Tensor, at: Any = None, **named: Tensor) -> Any:
        """Run the architecture or relaxed state `at`, as its view does; for what wraps a module, such as DDP."""
        return self.at(at)(*inputs, **named)

    def build(self, architecture: Any) -> nn.Module:
        """Return an ordinary model of one architecture, which begins with these weights, moving statistics included.

        Raises:
            BadArgument, NotSpecified: see `at`.
        """
        found = self._architecture(architecture, "build")
        model = build(found, self.specs, seed=0).to(like(self))
        with torch.no_grad():
            for part, own in self._pairs(found, model):
                own.copy_(part.read())
        return model.train(self.training)

    def load(self, weights: Any, architecture: Any = None) -> None:
        """Begin with a trained model's weights, so that it becomes elastic; what it does not hold stays as it is.

        Args:
            weights: a model that `torch_backend.build` returned, or what `get_weights` returned for one.
            architecture: which one; left out, each weight is the first part of the shared one, or the middle of its
                window. That is the same unless parts of elastic width are joined.

        Raises:
            BadArgument: a name that this space does not have, or an architecture of another space.
            ShapeMismatch: a weight that is larger than the shared one.
        """
        given: Mapping[str, Any] = get_weights(weights) if isinstance(weights, nn.Module) else weights
        if not is_kind(given, Mapping):
            raise no_weights(given)
        with torch.no_grad():
            if architecture is not None:
                found = self._architecture(architecture, "load")
                model = build(found, self.specs, seed=0).to(like(self))
                set_weights(model, given)
                for part, own in self._pairs(found, model):
                    part.write(own)
                return
            stored = self.meta[KEY].stored
            held = {each.paths: each for kinds in self._held.values() for each in kinds.values()}
            by_name = {name: held[each.paths] for name, each in stored.items()}
            for name, array in given.items():
                each = held_named(name, by_name, self.space.name)
                numbers = torch.as_tensor(as_numbers(name, array, "supernet.load"))
                write_first(name, each, tensors_at(self, stored[name]), numbers)

    def calibrate(self, architecture: Any, batches: Iterable[Any]) -> PathView:
        """Return a view of one architecture whose batch normalisations have statistics of its own, over some batches.

        The moving statistics that are shared are a mixture over all paths, and stay as they are. Each statistic is the
        mean over the batches; nothing else is in training while they run.

        Args:
            architecture: what `at` takes, of one path.
            batches: inputs, or tuples of them.

        Raises:
            BadArgument: no batch.

        References:
            Yu and Huang, Universally Slimmable Networks (ICCV 2019), section 3.3, "post-statistics".
        """
        shared: Any = self
        view = PathView(shared, self._architecture(architecture, "calibrate"))
        view.calibrate(batches)
        return view

    @contextlib.contextmanager
    def step(self, loss: Tensor, learning_rate: Any, weight_decay: Any = 0.0, differentiable: bool = True) -> Any:
        """Let the weights be those after one step of gradient descent, as long as the block runs.

        Then `view.slopes` of a score of the validation data are those of the second order, exactly; and the score tells
        how good a learning rate is.

        Args:
            loss: of the training data, computed with a view.
            learning_rate, weight_decay: of the step: numbers, or scalars that carry gradients, such as those of
                `view.config`.
            differentiable: whether slopes are taken through the step.

        References:
            Liu et al., DARTS (ICLR 2019), equation 5. Dong et al., AutoHAS (2020), section 3.3, temporary weights.
        """
        check_scalar(loss, "supernet.step", "loss")
        held = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        slopes = torch.autograd.grad(
            loss, [p for _, p in held], create_graph=differentiable, retain_graph=True, allow_unused=True
        )
        owners: list[tuple[dict[str, Any], str, nn.Parameter]] = []
        try:
            for (name, p), slope in zip(held, slopes, strict=True):
                if slope is not None:
                    owner, _, key = name.rpartition(".")
                    parameters: dict[str, Any] = self.get_submodule(owner)._parameters
                    owners.append((parameters, key, p))
                    parameters[key] = p - learning_rate * (slope + weight_decay * p)
            yield self
        finally:
            for parameters, key, p in owners:
                parameters[key] = p

    def _architecture(self, given: Any, asker: str) -> Architecture:
        view = self.at(given)
        if isinstance(view, PathView):
            architecture: Architecture = view.architecture
            return architecture
        raise NotSpecified(
            f"supernet.{asker}: expected one architecture.\n  Got a relaxed state.\n"
            "  Give an architecture, such as trial.architecture."
        )

    def _pairs(self, architecture: Architecture, model: nn.Module) -> Iterator[tuple[Part, Tensor]]:
        """Yield the parts of shared tensors that an architecture uses, each with the model's own tensor."""
        plan = build_plan(architecture, self.specs, "torch_backend", TorchModule.of)
        names, channels = ModuleNames(RESERVED), dict[int, Segments | None]()
        for step in plan.steps:
            target = names.path(step.module_address)
            kernel = self.kernel(step.module_address, step.module, step.specs, [channels.get(i) for i in step.inputs])
            channels |= dict.fromkeys(step.outputs, kernel.channels)
            for path, part in kernel.named_parts():
                owner, _, name = f"{target}{path.removeprefix(OWN)}".rpartition(".")
                yield part, getattr(model.get_submodule(owner), name)

    # --- copies --------------------------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> SuperNetwork:
        new = SuperNetwork.__new__(SuperNetwork)
        memo[id(self)] = new
        shared = {"space", "share", "shared_address", "specs", "plans", "decisions", "widest", "_held", "meta"}
        state = {k: v if k in shared else copy.deepcopy(v, memo) for k, v in vars(self).items() if k != "_local"}
        new.__dict__.update(state, _local=threading.local())
        return new

    def __reduce__(self) -> Any:
        frozen = [name for name, p in self.named_parameters() if not p.requires_grad]
        return _again, (self.space, self.specs, self.share, self.training, dict(self.state_dict()), frozen)

    def __repr__(self) -> str:
        n = sum([p.numel() for p in self.parameters()])
        return f"<super-network of {self.space.name}: {n:,} shared parameters, {len(self.decisions):,} decisions>"


def supernet(space: Any, inputs: Inputs, seed: int | None = None, share: Share = None) -> SuperNetwork:
    """Return every architecture of a space in one module, with shared weights.

    The super-network is the space with every alternative kept. Each weight is there once, by the address of its module,
    as large as any architecture needs it; an architecture uses a slice: its first filters or units, the middle of a
    window, the input channels that it has. What a weight's axes are is said by `da.Weight.axes`; weights that do not
    say, such as those of wrapped torch classes, are shared by architectures that need them in one shape.

    Args:
        space: what to hold; sub-spaces of `fix` and `limit` hold less.
        inputs: one spec, or one for each of the space's inputs by name.
        seed: what the weights are drawn from, as in `build`; where nothing is elastic they are the same.
        share: "position" shares what is the k-th argument of several alternatives, see `deep_arch.spaces.positions`; or
            a function from an address to the one that stands for it, such that `f(f(a) + b)` is `f(a + b)`.

    Raises:
        NotSpecified, NotSupported, NotCountable, ShapeMismatch, BadArgument: see
            `deep_arch.supernets.shared_weights.shared_weights`.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> @da.space
        ... def net(x):
        ...     x = da.repeat(lambda: ops.Conv2D(da.choice([8, 16]), da.choice([3, 5])), da.choice([1, 2, 3]))(x)
        ...     return ops.Dense(10)(ops.GlobalAveragePooling2D()(x))
        >>> shared = supernet(net, da.image(channels=3, height=8, width=8), seed=0)
        >>> shared
        <super-network of net: 14,218 shared parameters, 7 decisions>
        >>> arch = net.sample(seed=1)
        >>> x = torch.zeros(2, 3, 8, 8)
        >>> bool(torch.equal(shared.at(arch)(x), shared.build(arch)(x)))
        True

    References:
        Pham et al., Efficient Neural Architecture Search via Parameter Sharing (ICML 2018). Cai et al., Once-for-All
        (ICLR 2020), section 3. Bender et al., Can Weight Sharing Outperform Random Architecture Search? (CVPR 2020).
    """
    check_space(space, "torch_backend.supernet")
    return SuperNetwork(space, inputs, seed, share)


def _again(
    space: Any, specs: Any, share: Any, training: bool, state: Mapping[str, Tensor], frozen: Sequence[str]
) -> SuperNetwork:
    new = SuperNetwork(space, specs, seed=0, share=share)
    for name, tensor in state.items():
        owner, _, key = name.rpartition(".")
        at = new.get_submodule(owner)
        if key in at._parameters:
            at._parameters[key] = nn.Parameter(tensor.detach(), requires_grad=name not in frozen)
        else:
            at._buffers[key] = tensor
    return new.train(training)


_RESERVED = (
    frozenset(dir(nn.Module()))
    | frozenset(dir(SuperNetwork))
    | {"share", "shared_address", "specs", "plans", "widest", "meta", "self"}
)
