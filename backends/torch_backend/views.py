"""Views of a super-network: one architecture, or a relaxed state, that runs with the shared weights."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from deep_arch.backends.build_plan import BuildStep, as_returned, build_plan, native_rule
from deep_arch.backends.torch_backend.frames import frames, stacked
from deep_arch.backends.torch_backend.kernels import spec_of
from deep_arch.backends.torch_backend.relaxing import Relaxation
from deep_arch.backends.torch_backend.wrapped import TorchModule
from deep_arch.errors import BadArgument, NotSpecified, ShapeMismatch, TrialError, is_kind, wrong_kind
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.measures.costs import Cost
from deep_arch.measures.settling import settled
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.graph import Graph
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.regions import Item, Region, nested
from deep_arch.studies.trial import Trial
from deep_arch.supernets.expected_costs import ExpectedCost
from deep_arch.supernets.slices import Segments

if TYPE_CHECKING:
    from deep_arch.backends.torch_backend.supernetwork import SuperNetwork


class View(nn.Module):
    """What `supernet.at` gives: a module like a built model, whose parameters are the super-network's.

    Attributes:
        supernet: what it is a view of; `train`, `eval` and `to` are the super-network's.
    """

    supernet: SuperNetwork

    def __init__(self, supernet: SuperNetwork) -> None:
        super().__init__()
        self.__dict__["supernet"] = supernet  # no submodule: its parameters are those that are reached
        self.__dict__["training"] = supernet.training

    def __getattr__(self, name: str) -> Any:
        supernet = self.__dict__.get("supernet")
        if supernet is not None and name in supernet._modules:
            return supernet._modules[name]  # by which functional_call finds what parameters are named after
        return super().__getattr__(name)

    def train(self, mode: bool = True) -> Any:
        """Set the mode of the super-network."""
        self.supernet.train(mode)
        self.__dict__["training"] = mode
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        supernet: Any = self.supernet
        supernet._apply(fn, recurse)
        return self

    def reached(self) -> Sequence[str]:
        """Return the names of the shared tensors that are used."""
        return [name for name, _ in self.supernet.named_parameters()] + [n for n, _ in self.supernet.named_buffers()]

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the shared parameters that are reached."""
        yield from self._named(dict(self.supernet.named_parameters()), prefix)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the shared moving statistics that are reached."""
        yield from self._named(dict(self.supernet.named_buffers()), prefix)

    def _named(self, held: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for name in self.reached():
            if name in held:
                yield f"{prefix}.{name}" if prefix else name, held[name]

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the shared tensors that are reached."""
        reached = set(self.reached())
        return {name: tensor for name, tensor in self.supernet.state_dict().items() if name in reached}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load shared tensors that are reached.

        Raises:
            RuntimeError: as torch does, for names that are missing or unknown.
        """
        names = {*self.state_dict()}
        if strict and names != {*state_dict}:
            raise RuntimeError(f"view.load_state_dict: other names than those reached: {sorted(names ^ {*state_dict})}")
        return self.supernet.load_state_dict(state_dict, strict=False, assign=assign)

    def slopes(self, score: Any, unrolled: tuple[Tensor, Any] | None = None) -> dict[str, tuple[float, ...]]:
        """Return the slopes of a relaxed state; an architecture has none.

        Raises:
            TrialError: always.
        """
        raise TrialError(
            "slopes: expected the view of a relaxed state.\n"
            "  Got that of one architecture, in which nothing is relaxed.\n"
            "  Search with a relaxed searcher such as DARTS, or give supernet.at a da.Mixture."
        )

    def _given(self, inputs: Sequence[Tensor], named: Mapping[str, Tensor]) -> list[Tensor]:
        names = [*self.supernet.specs]
        try:
            given = [*inputs, *[named[name] for name in names[len(inputs) :]]]
        except KeyError:
            given = []
        if len(given) != len(names) or len(inputs) + len(named) != len(names):
            raise BadArgument(
                f"{self.supernet.space.name}: expected a tensor for each of the inputs {', '.join(names)}.\n"
                f"  Got {len(inputs)} in order, and {', '.join(named) or 'none'} by name.\n"
                "  Call the view like a model."
            )
        for name, tensor in zip(names, given, strict=True):
            if not is_kind(tensor, Tensor):
                mend = "Call the view like a model: view(x)."
                raise wrong_kind(self.supernet.space.name, f"a tensor for the input {name}", tensor, mend)
        specs = self.supernet.specs
        differ = [name for name, tensor in zip(names, given, strict=True) if tensor.shape[1:] != specs[name].shape]
        if differ and not self._takes(dict(zip(names, map(spec_of, given), strict=True))):
            name = differ[0]
            shape = str(specs[name].shape)[1:-1].rstrip(",")
            raise ShapeMismatch(
                f"{self.supernet.space.name}: expected {name} to be (batch, {shape}).\n"
                f"  Got {tuple(given[names.index(name)].shape)}.\n"
                "  Give what the super-network was made for, or make one for these inputs."
            )
        return given

    def _takes(self, specs: Mapping[str, Spec]) -> bool:
        """Return whether inputs of other sizes than the super-network was made for need the same weights."""
        return False


class PathView(View):
    """One architecture with shared weights.

    Attributes:
        architecture: which one.
    """

    def __init__(self, supernet: SuperNetwork, architecture: Architecture) -> None:
        super().__init__(supernet)
        self.architecture = architecture
        self._graph: Graph | None = None
        self._items: tuple[Item, ...] | None = None
        self._own: list[_Statistics] = []
        self._n_runs: Counter[str] | None = None  # by address, of what is calibrated

    @property
    def graph(self) -> Graph:
        """The graph that runs, in which shapes have decided what they decide."""
        if self._graph is None:
            specs = [*self.supernet.specs.values()]
            self._graph = settled(self.architecture.graph, specs, native_rule(TorchModule.of))
        return self._graph

    def reached(self) -> Sequence[str]:
        """Return the names of the shared tensors of the architecture's modules."""
        addresses = dict.fromkeys(call.module_address for call in self.graph.calls)
        return [name for address in addresses for name in self.supernet.names_at(address)]

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """Run the architecture, as its built model with these weights does."""
        given = self._given(inputs, named)
        with self._statistics():
            values = self._run(given)
        graph = self.graph
        names = graph.output_names if graph.outputs_are_named else None
        return as_returned([values[i] for i in graph.outputs], names)

    def cost(self) -> Cost:
        """Return what the architecture costs; see `Architecture.cost`."""
        return self.architecture.cost(self.supernet.specs)

    def _takes(self, specs: Mapping[str, Spec]) -> bool:
        held = [
            [_sizes(step) for step in build_plan(self.architecture, each, "torch_backend", TorchModule.of).steps]
            for each in (self.supernet.specs, specs)
        ]
        return held[0] == held[1]

    def _run(self, inputs: Sequence[Tensor]) -> list[Any]:
        calls = self.graph.calls
        if self._items is None:
            self._items = nested(self.graph)
        n = calls[-1].outputs[-1] + 1 if calls else len(inputs)
        values: list[Any] = [*inputs, *[None] * (n - len(inputs))]
        self._run_items(self._items, values, [None] * n)
        return values

    def _run_items(self, items: Iterable[Item], values: list[Any], channels: list[Segments | None]) -> None:
        kernels, training = self.supernet.kernels, self.supernet.training
        for item in items:
            if isinstance(item, Region):
                self._run_scan(item, values, channels)
                continue
            node = item.node
            taken = [values[i] for i in node.inputs]
            held = [channels[i] for i in node.inputs]
            kernel = kernels.at(item.module_address, node.call.module, node.values, taken, held)
            if self._n_runs is not None:
                self._n_runs[item.module_address] += 1
                kernel.average(self._n_runs[item.module_address])
                result = kernel(bool(kernel.norms), taken)
                kernel.average(None)
            else:
                result = kernel(training, taken)
            if node.n_outputs == 1:
                values[node.first], channels[node.first] = result, kernel.channels
            else:
                values[node.first : node.first + node.n_outputs] = result

    def _run_scan(self, scan: Region, values: list[Any], channels: list[Segments | None]) -> None:
        taken = [values[i] for i in scan.enter.inputs]
        states, steps = taken[: scan.carry], list[list[Tensor]]()
        for each in frames(taken[scan.carry :], scan.reverse):
            for i, value in zip((*scan.states, *scan.frames), (*states, *each), strict=True):
                values[i] = value
            self._run_items(scan.body, values, channels)
            given = [values[i] for i in scan.given]
            states = given[: scan.carry]
            steps.append(given[scan.carry :])
        for i, value in zip(scan.exit.outputs, (*states, *stacked(steps, scan.reverse)), strict=True):
            values[i] = value

    # --- statistics of its own -----------------------------------------------------------------------------------

    def calibrate(self, batches: Iterable[Any]) -> None:
        """Give the batch normalisations statistics of this architecture alone; see `SuperNetwork.calibrate`."""
        if not is_kind(batches, Iterable):
            raise wrong_kind("supernet.calibrate", "batches of inputs", batches, "Give a list of them, or a loader.")
        reached = set(self.reached())
        self._own = []
        for name, tensor in self.supernet.named_buffers():
            if name in reached:
                owner, _, key = name.rpartition(".")
                self._own.append(_Statistics(self.supernet.get_submodule(owner)._buffers, key, tensor.clone()))
        n, runs = 0, Counter[str]()
        with torch.no_grad():
            for batch in batches:
                n, self._n_runs = n + 1, runs
                try:
                    self(*batch) if isinstance(batch, tuple | list) else self(batch)
                finally:
                    self._n_runs = None
        if n == 0:
            raise BadArgument(
                "supernet.calibrate: expected at least one batch.\n  Got none.\n  Give inputs, such as [images]."
            )

    @contextlib.contextmanager
    def _statistics(self) -> Generator[None]:
        """Let the architecture's own statistics stand for the shared ones."""
        shared = [each.held[each.key] for each in self._own]
        try:
            for each, tensor in zip(self._own, shared, strict=True):
                each.held[each.key] = each.tensor = each.tensor.to(tensor)
            yield
        finally:
            for each, tensor in zip(self._own, shared, strict=True):
                each.held[each.key] = tensor


@dataclass(slots=True)
class _Statistics:
    """A moving statistic of one path's own.

    Attributes:
        held, key: what holds the shared one, and its name there.
        tensor: in its place, while the path runs.
    """

    held: dict[str, Any]
    key: str
    tensor: Tensor


def _sizes(step: BuildStep) -> Any:
    """Return the shapes of the weights of a step, or how many there are where only a framework knows them."""
    module: Any = step.module
    if isinstance(module, Operation):
        return {name: weight.shape for name, weight in module.weights(*step.specs).items()}
    return module.parameters(*step.specs)


class RelaxedView(View):
    """A relaxed state with shared weights: what the active values of each mixture give, added by their weights.

    Attributes:
        mixtures: address to mixture, for the decisions that were met so far.
    """

    def __init__(self, supernet: SuperNetwork, relaxation: Relaxation) -> None:
        super().__init__(supernet)
        self.relaxation = relaxation

    @property
    def mixtures(self) -> Mapping[str, Mixture]:
        """Address to mixture, for the relaxed decisions that were met so far."""
        return self.relaxation.mixtures

    @property
    def config(self) -> Mapping[str, Any]:
        """What `da.config` attached, by name, once the view has run: of what is relaxed, the expectation."""
        return self.relaxation.config

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """Run the relaxed state."""
        root = self.supernet.space.program.root
        outputs = self.relaxation.run(self.supernet, self._given(inputs, named))
        return as_returned(outputs, root.output_names if root.outputs_are_named else None)

    def cost(self, latency: Any = None) -> ExpectedCost:
        """Return what the architectures of this state cost on average, exactly, as scalars that carry gradients.

        A score with a term of it has slopes as any other: `score - 0.1 * abs(model.cost().macs / target - 1)`.

        Args:
            latency: what a call takes, of a module's address, the module and the specs of its inputs.
        """
        return self.relaxation.cost(self.supernet, latency)

    def slopes(self, score: Any, unrolled: tuple[Tensor, Any] | None = None) -> dict[str, tuple[float, ...]]:
        """Return the slope of a score for each weight of each mixture that was met, by address.

        Args:
            score: one number that was computed with this view; with `unrolled`, a function that computes it.
            unrolled: the training loss, computed with this view, and the learning rate of a step down its gradient,
                after which the score is computed: the slopes of DARTS's second order, exactly. See `supernet.step`.

        Raises:
            TrialError: the score does not depend on any mixture.
        """
        if unrolled is None:
            return self.relaxation.slopes(score)
        if not callable(score):
            raise BadArgument(
                "slopes: with unrolled=..., expected a function that computes the score, after the step.\n"
                f"  Got {type(score).__name__}.\n"
                "  Write model.slopes(lambda: -loss(model(x), y), unrolled=(training_loss, learning_rate))."
            )
        compute: Any = score
        with self.supernet.step(*unrolled):
            return self.relaxation.slopes(compute())


def view_of(supernet: SuperNetwork, state: Any) -> View:
    """Return a view of a super-network; see `SuperNetwork.at`."""
    if isinstance(state, Trial):
        if getattr(state, "relaxed", False):
            trial: Any = state
            _check_space(supernet, trial.architecture.space)
            return RelaxedView(supernet, Relaxation(supernet, trial.values, trial.weigh))
        state = state.architecture
    if isinstance(state, Architecture):
        _check_space(supernet, state.space)
        if state.space.restrictions != supernet.space.restrictions and supernet.space.restrictions:
            state = supernet.space.at(state.values)  # which refuses what this sub-space does not hold
        if not state.is_specified:
            waiting = ", ".join([h.address for h in state.unassigned][:5])
            raise NotSpecified(
                f"{supernet.space.name}: a view needs a value for every hyperparameter.\n  Got none for {waiting}.\n"
                "  Assign them, or give what is to be relaxed a da.Mixture: supernet.at({**values, address: mixture})."
            )
        return PathView(supernet, state)
    if not is_kind(state, Mapping):
        raise BadArgument(
            "supernet.at: expected a trial, an architecture, or values by address.\n"
            f"  Got {state!r} ({type(state).__name__}).\n  Write supernet.at(trial), or supernet.at(space.sample())."
        )
    if any(isinstance(value, Mixture) for value in state.values()):
        return RelaxedView(supernet, Relaxation(supernet, state, None))
    return PathView(supernet, supernet.space.at(state))


def _check_space(supernet: SuperNetwork, space: Any) -> None:
    if space.program is not supernet.space.program:
        raise BadArgument(
            f"supernet.at: expected an architecture of {supernet.space.name}, which this super-network was made of.\n"
            f"  Got one of {space.name}, which is another space"
            + (" of the same name" if space.name == supernet.space.name else "")
            + ".\n  Search the space that was given to supernet, or a sub-space of it."
        )
