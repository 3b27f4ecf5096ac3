"""Laws of super-networks of PyTorch: what is compared, in float64, and how."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

import deep_arch as da
from deep_arch.backends import torch_backend
from deep_arch.language.domains import Domain, Real
from deep_arch.language.specs import Inputs, Spec
from deep_arch.measures.shapes import input_specs

EXACT = 1e-12
"""What float64 leaves of sums in another order, relative to the largest number."""

_SHIFT = 1_000_000


# --- what is compared ------------------------------------------------------------------------------------------------


def examples(space: da.SearchSpace, inputs: Inputs, n: int = 3, seed: int = 0) -> dict[str, Tensor]:
    """Return a batch of random inputs of a space."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(spec: Spec) -> Tensor:
        if spec.dtype == "bool":
            return torch.rand(n, *spec.shape, generator=generator) < 0.8
        if "int" in spec.dtype:
            return torch.randint(0, spec.vocabulary or 2, (n, *spec.shape), generator=generator)
        return torch.randn(n, *spec.shape, generator=generator, dtype=torch.float64)

    return dict(zip(space.inputs, map(drawn, input_specs(space.inputs, space.name, inputs)), strict=True))


def network_of(space: da.SearchSpace, inputs: Inputs, seed: int = 0) -> Any:
    """Return a super-network in float64 whose numbers are all random, so that no two slices are alike."""
    supernet = torch_backend.supernet(space, inputs, seed=seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in supernet.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        for buffer in supernet.buffers():
            if buffer.is_floating_point():
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator, dtype=torch.float64))
    return supernet


def listed(outputs: Any) -> list[Tensor]:
    """Return the tensors of what a model gives."""
    if isinstance(outputs, Tensor):
        return [outputs]
    return [*outputs.values()] if isinstance(outputs, Mapping) else [*outputs]


def assert_close(got: Sequence[Tensor], expected: Sequence[Tensor], what: str, within: float = EXACT) -> None:
    """Raise AssertionError unless tensors are equal, up to a share of the largest number."""
    assert len(got) == len(expected), f"{what}: expected {len(expected)} tensors, got {len(got)}"
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert a.shape == b.shape, f"{what} {i}: expected shape {tuple(b.shape)}, got {tuple(a.shape)}"
        assert torch.equal(a.isnan(), b.isnan()), f"{what} {i}: numbers that are none differ"
        if b.numel():
            off = (a - b).detach().nan_to_num().abs().max().item()
            most = 1.0 + b.detach().nan_to_num().abs().max().item()
            assert off <= within * most, f"{what} {i}: off by {off:.3g}, where numbers are up to {most:.3g}"


def score_of(outputs: Any) -> Tensor:
    """Return a number that every element of the outputs moves, each by another weight."""
    generator = torch.Generator().manual_seed(1)
    parts = [
        (y.double() * torch.randn(y.shape[1:], generator=generator, dtype=torch.float64)).sum() for y in listed(outputs)
    ]
    return torch.stack(parts).sum()


class Ran(NamedTuple):
    """What came of one run of a model.

    Attributes:
        outputs: its outputs.
        score: a number of them.
        by_input: its slope for each input of real numbers.
    """

    outputs: list[Tensor]
    score: Tensor
    by_input: list[Tensor]


def run(model: nn.Module, inputs: Mapping[str, Tensor], training: bool, seed: int = 0) -> Ran:
    """Run a model forward and backward, which leaves gradients in its parameters."""
    given = {name: x.clone().requires_grad_(x.is_floating_point()) for name, x in inputs.items()}
    model.train(training)
    torch.manual_seed(seed)
    outputs = model(**given)
    score = score_of(outputs)
    if score.requires_grad:
        backward(score)
    found = [torch.zeros_like(x) if x.grad is None else x.grad for x in given.values() if x.is_floating_point()]
    return Ran([y.detach() for y in listed(outputs)], score.detach(), found)


# --- where a built model's numbers are -------------------------------------------------------------------------------


def shared_tensors(supernet: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a super-network by name: parameters and statistics."""
    return dict([*supernet.named_parameters(), *supernet.named_buffers()])


def places(supernet: Any, architecture: da.Architecture) -> dict[str, dict[str, Tensor]]:
    """Return where the numbers of a built model stand in the shared tensors, as flat positions.

    Every shared number is replaced by its own position for a while, and `build` copies these.

    Returns:
        By the name of a tensor of the built model: by the name of a shared tensor, flat positions in it.
    """
    held = shared_tensors(supernet)
    saved = {name: tensor.detach().clone() for name, tensor in held.items()}
    starts = dict(zip(held, itertools.accumulate([0, *[t.numel() for t in held.values()]]), strict=False))
    built: list[dict[str, Tensor]] = []
    with torch.no_grad():
        for shift in (0, _SHIFT):
            for name, tensor in held.items():
                steps = torch.arange(tensor.numel(), dtype=tensor.dtype).view(tensor.shape)
                tensor.copy_(steps + (starts[name] + shift))
            built.append(shared_tensors(supernet.build(architecture)))
        for name, tensor in held.items():
            tensor.copy_(saved[name])
    found: dict[str, dict[str, Tensor]] = {}
    for name, first in built[0].items():
        if torch.equal(built[1][name] - first, torch.full_like(first, _SHIFT)):
            found[name] = _by_tensor(first.detach().long().flatten(), held, starts)
    return found


def _by_tensor(flat: Tensor, held: Mapping[str, Tensor], starts: Mapping[str, int]) -> dict[str, Tensor]:
    for name, tensor in held.items():
        own = flat - starts[name]
        if bool(((own >= 0) & (own < tensor.numel())).all()):
            return {name: own}
    raise AssertionError("numbers of one tensor of a built model come from several shared ones")


def scattered(
    tensors: Mapping[str, Tensor], where: Mapping[str, Mapping[str, Tensor]], into: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return copies of shared tensors in which the numbers of a built model stand at their places."""
    found = {name: tensor.detach().clone() for name, tensor in into.items()}
    for name, tensor in tensors.items():
        for shared, positions in where.get(name, {}).items():
            if shared in found:
                found[shared].view(-1)[positions] = tensor.detach().flatten()
    return found


# --- laws ------------------------------------------------------------------------------------------------------------


def check_path(
    supernet: Any, architecture: da.Architecture, inputs: Mapping[str, Tensor], training: bool, within: float = EXACT
) -> None:
    """Check that a path is the built model: outputs, gradients of inputs and weights, and moving statistics."""
    where = places(supernet, architecture)
    model, view = supernet.build(architecture), supernet.at(architecture)
    before = {name: tensor.clone() for name, tensor in supernet.named_buffers()}
    supernet.zero_grad(set_to_none=True)
    got, expected = run(view, inputs, training), run(model, inputs, training)
    assert_close(got.outputs, expected.outputs, "outputs", within)
    assert_close(got.by_input, expected.by_input, "gradients of inputs", within)
    slopes = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    reached = {shared for name in slopes for shared in where.get(name, {})}
    shared = dict(supernet.named_parameters())
    zeros = {name: torch.zeros_like(p) for name, p in shared.items() if name in reached}
    expected_slopes = scattered(slopes, where, zeros)
    for name, p in shared.items():
        assert (p.grad is not None) == (name in reached), f"{name}: a gradient where there is none, or none"
    assert_close([shared[name].grad for name in reached], [expected_slopes[n] for n in reached], "gradients", within)
    after = scattered(dict(model.named_buffers()), where, before)
    assert_close([b for _, b in supernet.named_buffers()], [*after.values()], "moving statistics", within)


def options(domain: Domain, most: int = 6) -> list[Any]:
    """Return some values of a domain."""
    if isinstance(domain, Real):
        return [domain.low, domain.high]
    return [*itertools.islice(domain.values(), most)]


def decisions_of(supernet: Any, seed: int = 0) -> dict[str, Any]:
    """Return a value for every decision that some architecture reaches.

    Where recursion is limited, the first value of each decision ends it.
    """
    rng, space = random.Random(seed), supernet.space
    limited = space.restrictions.max_depth is not None
    found = {a: options(d)[0] if limited else rng.choice(options(d)) for a, d in supernet.decisions.items()}
    return {**found, **space.sample(seed=seed).values}


def path_of(space: da.SearchSpace, values: Mapping[str, Any]) -> da.Architecture:
    """Return the architecture that decides as values do, of which some may not be reached."""
    return space.decide(lambda point: values[point.address])


def one_hot(supernet: Any, values: Mapping[str, Any], as_values: Sequence[str] = ()) -> dict[str, Any]:
    """Return a relaxed state in which each value has all the weight of a mixture over all values."""
    found: dict[str, Any] = {}
    for address, domain in supernet.decisions.items():
        if any(part in address for part in as_values):
            found[address] = values[address]
            continue
        listed_values = options(domain)
        if not any(_same(value, values[address]) for value in listed_values):
            listed_values.append(values[address])
        weights = [1.0 if _same(value, values[address]) else 0.0 for value in listed_values]
        found[address] = da.Mixture(tuple(listed_values), weights)
    return found


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


def check_one_hot(
    supernet: Any,
    values: Mapping[str, Any],
    inputs: Mapping[str, Tensor],
    training: bool,
    as_values: Sequence[str] = (),
    within: float = EXACT,
) -> None:
    """Check that a relaxed state with all weight on one value of each decision is that path, gradients included.

    Outputs of elastic width are as wide as the widest, with zeros.
    """
    runs: list[Ran] = []
    slopes: list[list[Tensor]] = []
    for state in (path_of(supernet.space, values), one_hot(supernet, values, as_values)):
        supernet.zero_grad(set_to_none=True)
        runs.append(run(supernet.at(state), inputs, training))
        slopes.append([torch.zeros_like(p) if p.grad is None else p.grad for p in supernet.parameters()])
    path, hot = runs
    if any(a.shape != b.shape for a, b in zip(hot.outputs, path.outputs, strict=True)):
        assert_close([*map(alive, hot.outputs)], [*map(alive, path.outputs)], "outputs", within)
        return
    assert_close(hot.outputs, path.outputs, "outputs", within)
    assert_close(hot.by_input, path.by_input, "gradients of inputs", within)
    assert_close(slopes[1], slopes[0], "gradients", within)


def alive(tensor: Tensor) -> Tensor:
    """Return the channels that are not zero everywhere."""
    return tensor[:, (tensor != 0).transpose(0, 1).flatten(1).any(1)]


def check_expectation(
    supernet: Any,
    values: Mapping[str, Any],
    address: str,
    inputs: Mapping[str, Tensor],
    training: bool,
    within: float = EXACT,
) -> None:
    """Check that one relaxed decision gives the sum of what its values give, by their weights; gradients included.

    It is so where all that follows the decision is linear, or works on each channel that it leaves out alone.
    """
    found = options(supernet.decisions[address], 24)
    generator = torch.Generator().manual_seed(2)
    logits = torch.rand(len(found), generator=generator, dtype=torch.float64).requires_grad_()
    weights = logits.softmax(0)  # a constant in the slopes of the weights themselves means nothing
    supernet.train(training)
    mixture = mixed(found, weights)
    relaxed = listed(supernet.at({**values, address: mixture})(**inputs))
    paths = [listed(supernet.at(path_of(supernet.space, {**values, address: v}))(**inputs)) for v in found]
    expected = [sum_of([w * row[i] for w, row in zip(weights, paths, strict=True)]) for i in range(len(relaxed))]
    assert_close(relaxed, expected, "outputs", within)
    leaves = [logits, *[p for p in supernet.parameters() if p.requires_grad]]
    slopes = [
        torch.autograd.grad(score_of(y), leaves, retain_graph=True, allow_unused=True, materialize_grads=True)
        for y in (relaxed, expected)
    ]
    assert_close(slopes[0], slopes[1], "gradients", within)


def mixed(values: Sequence[Any], weights: Any, active: Sequence[int] = ()) -> da.Mixture:
    """Return a mixture whose weights may be a tensor."""
    return da.Mixture(tuple(values), weights, tuple(active))


def backward(score: Tensor) -> None:
    """Leave the gradients of a number in the parameters that it depends on."""
    score.backward()  # type: ignore[no-untyped-call]


def sum_of(terms: Sequence[Tensor]) -> Tensor:
    """Return the sum of tensors."""
    return torch.stack([*terms]).sum(0)


def softened(supernet: Any, values: Mapping[str, Any], as_values: Sequence[str] = (), seed: int = 0) -> dict[str, Any]:
    """Return a relaxed state with random weights for every decision."""
    rng = random.Random(seed)
    found: dict[str, Any] = {}
    for address, domain in supernet.decisions.items():
        listed_values = options(domain)
        drawn = [rng.uniform(0.2, 1.0) for _ in listed_values]
        soft = not any(part in address for part in as_values)
        mixture = da.Mixture(tuple(listed_values), [w / sum(drawn) for w in drawn])
        found[address] = mixture if soft else values[address]
    return found


def check_slopes(
    score: Callable[[Mapping[str, Any]], tuple[Any, Tensor]],
    state: Mapping[str, Any],
    within: float,
    step: float = 1e-5,
) -> None:
    """Check that slopes are what differences of a score tell, for every weight.

    Args:
        score: returns a view of a state, and its score.
        state: with mixtures.
        within: the share of the largest slope that is allowed.
        step: of the differences.
    """
    view, number = score(state)
    found: Mapping[str, Sequence[float]] = view.slopes(number)
    assert found, "no mixture was met"
    expected: dict[str, list[float]] = {}
    for address in found:
        mixture = state[address]
        expected[address] = []
        for i in range(len(mixture.values)):
            ends: list[float] = []
            for sign in (1, -1):
                moved = [w + sign * step * (i == j) for j, w in enumerate(mixture.weights)]
                ends.append(score({**state, address: da.Mixture(mixture.values, moved, mixture.active)})[1].item())
            expected[address].append((ends[0] - ends[1]) / (2 * step))
    for address, slopes in found.items():
        got, wanted = (torch.tensor(each, dtype=torch.float64) for each in (slopes, expected[address]))
        assert_close([got], [wanted], f"slopes at {address}", within)


# --- what counts its runs --------------------------------------------------------------------------------------------


class Counting(nn.Linear):
    """A layer that says when it runs.

    Attributes:
        ran: the tags of the layers that ran, in order.
    """

    ran: ClassVar[list[str]] = []

    def __init__(self, width: int, tag: str) -> None:
        super().__init__(width, width)
        self.tag = tag

    def forward(self, input: Tensor) -> Tensor:
        """Run, and say so."""
        self.ran.append(self.tag)
        return super().forward(input)


def counting(tag: str, width: int = 3) -> Any:
    """Return a module that says when it runs."""
    return torch_backend.wrap(Counting)(width, tag)


def runs_of(view: Any, inputs: Mapping[str, Tensor]) -> list[str]:
    """Return the tags of the layers that run, in order, once their shapes are known."""
    view(**inputs)
    Counting.ran.clear()
    view(**inputs)
    return [*Counting.ran]
