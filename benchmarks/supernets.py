"""Print what super-networks cost: a step beside one written by hand, memory, construction, and widths.

All run on one thread. Each pair of steps is taken in turn, and the median of the ratios of their CPU times is printed.
Memory is what a forward pass keeps for the backward pass, without the parameters. Run with `make bench`, or a part:

    OMP_NUM_THREADS=1 python benchmarks/supernets.py steps memory construction widths
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from hand_written_supernets import NB201ByHand, Plain, mixed, one_hot, path
from torch import Tensor, nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.language.values import Value
from deep_arch.testing.published_networks import NB201_EDGES, NB201_OPERATIONS, nb201

ROUNDS = 40
IMAGE = da.image(3, 16, 16)

Step = Callable[[], object]
Forward = Callable[[], Tensor]


# --- measuring --------------------------------------------------------------------------------------------------------


def cpu_s(step: Step) -> float:
    """Return the CPU time of one run, which what else runs on the machine moves little."""
    start = time.process_time()
    step()
    return time.process_time() - start


def in_turn(first: Step, second: Step, rounds: int = ROUNDS) -> tuple[float, float, float]:
    """Return the median CPU time of each, and the median ratio of neighbours, each having been first as often."""
    for step in (first, second):
        for _ in range(3):  # the first runs fill caches
            step()
    pairs = list[tuple[float, float]]()
    for i in range(rounds):
        steps = (first, second) if i % 2 else (second, first)
        a, b = cpu_s(steps[0]), cpu_s(steps[1])
        pairs.append((a, b) if i % 2 else (b, a))
    firsts, seconds = zip(*pairs, strict=True)
    return statistics.median(firsts), statistics.median(seconds), statistics.median(a / b for a, b in pairs)


def row(name: str, reference: str, ratio: float, at_most: float) -> None:
    print(f"{name:42}{reference:>14}{ratio:12.3f} x{at_most:9} x", flush=True)


def header(reference: str) -> None:
    print(f"\n{'':42}{reference:>14}{'ratio':>14}{'at most':>11}")


def step(forward: Forward, parameters: Sequence[Tensor]) -> Step:
    """Return what takes one step of plain gradient descent."""
    optimizer = torch.optim.SGD(parameters, lr=1e-3)

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        forward().square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return run


def saved_bytes(forward: Forward, parameters: Sequence[Tensor]) -> int:
    """Return the bytes that a forward pass keeps for its backward pass, without parameters, each storage once."""
    own = {p.untyped_storage().data_ptr() for p in parameters}
    kept, alive = dict[int, int](), list[Tensor]()  # alive, lest an address be used twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = forward()
    assert output.requires_grad, "something was to be kept"
    return sum(kept.values())


# --- NAS-Bench-201 ----------------------------------------------------------------------------------------------------


class Rival:
    """The same super-network twice, ours and by hand, and one forward pass of each in each of the three ways."""

    def __init__(self, channels: int, cells: int, batch: int) -> None:
        torch.manual_seed(0)
        space = nb201(channels, cells)
        self.ours: Any = torch_backend.supernet(space, IMAGE, seed=0)
        self.by_hand = NB201ByHand(channels, cells)
        n_ours, n_by_hand = (sum(p.numel() for p in net.parameters()) for net in (self.ours, self.by_hand))
        assert n_ours == n_by_hand, f"the same parameters, not {n_ours} and {n_by_hand}"
        self.paths = [dict(space.sample(seed).values) for seed in range(20)]
        self.x = torch.randn(batch, 3, 16, 16)
        self.logits = (1e-3 * torch.randn(6, 5)).requires_grad_()
        self.picks = [[NB201_OPERATIONS.index(values[edge]) for edge in NB201_EDGES] for values in self.paths]

    def path(self, i: int) -> tuple[Forward, Forward]:
        values = self.paths[i % 20]
        return lambda: self.ours.at(values)(self.x), lambda: self.by_hand(self.x, path(values))

    def darts(self, _i: int = 0) -> tuple[Forward, Forward]:
        def ours() -> Tensor:
            return self.ours.at(self.mixtures(self.logits.softmax(1)))(self.x)  # type: ignore[no-any-return]

        return ours, lambda: self.by_hand(self.x, mixed(self.logits.softmax(1)))

    def gdas(self, i: int) -> tuple[Forward, Forward]:
        picked = self.picks[i % 20]

        def weights() -> Tensor:
            soft = self.logits.softmax(1)
            hard = torch.zeros_like(soft).scatter_(1, torch.tensor(picked)[:, None], 1.0)
            return hard - soft.detach() + soft

        def ours() -> Tensor:
            return self.ours.at(self.mixtures(weights(), picked))(self.x)  # type: ignore[no-any-return]

        return ours, lambda: self.by_hand(self.x, one_hot(weights(), picked))

    def mixtures(self, weights: Any, picked: Sequence[int] | None = None) -> Mapping[str, da.Mixture]:
        return {
            edge: da.Mixture(NB201_OPERATIONS, weights[k], () if picked is None else (picked[k],))
            for k, edge in enumerate(NB201_EDGES)
        }

    def step(self, which: int, forward: Forward) -> Step:
        return step(forward, self.parameters(which))

    def parameters(self, which: int) -> list[Tensor]:
        return [*(self.ours, self.by_hand)[which].parameters(), self.logits]


def steps() -> None:
    """Compare a step of a path, of DARTS and of GDAS with the network by hand, and GDAS with a path."""
    header("by hand")
    for channels, cells, batch in ((8, 1, 64), (8, 1, 4), (16, 2, 64)):
        rival, size = Rival(channels, cells, batch), f"C{channels} N{cells} batch {batch}"
        bars = {"path": 1.10, "darts": 1.12, "gdas": 1.2} if batch == 64 else {"path": 1.3, "darts": 1.5, "gdas": 1.6}
        times = dict[str, float]()
        for name, bar in bars.items():
            rounds = [in_turn(*taken(rival, name, i), 6 if name == "darts" else 4) for i in range(20)]
            ours_s, theirs_s, ratio = (statistics.median(column) for column in zip(*rounds, strict=True))
            times[name] = ours_s
            row(f"NB201 {size}, {name} step", f"{theirs_s * 1e3:.1f} ms", ratio, bar)
        if batch == 64:
            row(f"NB201 {size}, GDAS / path, ours", f"{times['path'] * 1e3:.1f} ms", times["gdas"] / times["path"], 1.3)


def taken(rival: Rival, name: str, i: int) -> tuple[Step, Step]:
    ours, theirs = getattr(rival, name)(i)
    return rival.step(0, ours), rival.step(1, theirs)


def memory() -> None:
    """Compare what is kept for the backward pass."""
    header("by hand")
    rival = Rival(8, 1, 64)
    kept = dict[str, float]()
    for name, bar in (("path", 1.15), ("darts", 1.05), ("gdas", 1.15)):
        pairs = list[tuple[int, int]]()
        for i in range(20):
            ours, theirs = getattr(rival, name)(i)
            pairs.append((saved_bytes(ours, rival.parameters(0)), saved_bytes(theirs, rival.parameters(1))))
        kept[name] = statistics.fmean(a for a, _ in pairs)
        theirs_mb = statistics.fmean(b for _, b in pairs) / 1e6
        row(f"NB201 C8 N1 batch 64, {name} memory", f"{theirs_mb:.1f} MB", kept[name] / theirs_mb / 1e6, bar)
    row("the same, GDAS / path, ours", f"{kept['path'] / 1e6:.1f} MB", kept["gdas"] / kept["path"], 1.5)
    row("the same, DARTS / path, ours", f"{kept['path'] / 1e6:.1f} MB", kept["darts"] / kept["path"], 7.0)


# --- construction -----------------------------------------------------------------------------------------------------


def chain(length: int, options: int) -> da.SearchSpace:
    """Return a chain of choices between alternatives of two operations each."""

    def alternative(i: int) -> Callable[[], da.Module]:
        return lambda: da.sequential(lambda: ops.Dense(4 + i % 3), lambda: ops.Dense(4))

    def net(x: Value) -> Value:
        for _ in range(length):
            x = da.or_([alternative(i) for i in range(options)])(x)
        return x

    return da.space(net)


def construct(length: int, options: int) -> object:
    return torch_backend.supernet(chain(length, options), da.vector(4))


def construction() -> None:
    """Print the CPU time of making a super-network, for each alternative, which a level column shows to be linear."""
    print(f"\n{'chain of choices':42}{'all':>14}{'an alternative':>18}{'at most':>11}")
    times = dict[tuple[int, int], float]()
    for length, options in ((10, 3), (10, 30), (100, 3), (100, 10), (100, 30), (300, 10)):
        taken_s = [cpu_s(functools.partial(construct, length, options)) for _ in range(3)]
        times[length, options] = statistics.median(taken_s)
        each_ms = times[length, options] / (length * options) * 1e3
        print(
            f"{length} x {options:<36}{times[length, options] * 1e3:11.0f} ms{each_ms:15.3f} ms{1.5:9} ms", flush=True
        )
    row("300 x 10 / 100 x 10", f"{times[100, 10]:.2f} s", times[300, 10] / times[100, 10], 4.0)


# --- widths and kernels -----------------------------------------------------------------------------------------------


def elastic(n_widths: int, kernels: Sequence[int], layers: int = 4) -> da.SearchSpace:
    """Return convolutions of up to 64 filters, with a width and a kernel to decide in each layer."""
    widths = [64 * (i + 1) // n_widths for i in range(n_widths)]

    def net(x: Value) -> Value:
        for _ in range(layers):
            x = ops.Conv2D(da.choice(widths), da.choice(list(kernels)), use_bias=False)(x)
            x = ops.ReLU()(ops.BatchNormalization()(x))
        return x

    return da.space(net)


def relaxed(supernet: Any) -> Mapping[str, Any]:
    """Return equal weights for each decision; the only value of one without alternatives."""
    decisions = dict[str, Any]()
    for address, domain in supernet.decisions.items():
        first, *others = values = list(domain.options)
        weights: Any = torch.full((len(values),), 1 / len(values), requires_grad=True)
        decisions[address] = da.Mixture(tuple(values), weights) if others else first
    return decisions


def widths() -> None:
    """Compare relaxed widths and kernels with one width and the largest kernel, by hand."""
    header("one width")
    x = torch.randn(32, 3, 16, 16)
    plain: nn.Module = Plain(64, 7)
    theirs_bytes = saved_bytes(lambda: plain(x), list(plain.parameters()))
    found = dict[tuple[int, int], tuple[float, float]]()
    for n_widths, kernels in ((1, [7]), (2, [5, 7]), (4, [3, 5, 7]), (8, [3, 5, 7]), (16, [3, 5, 7])):
        supernet: Any = torch_backend.supernet(elastic(n_widths, kernels), IMAGE, seed=0)
        decisions = relaxed(supernet)
        forward = lambda supernet=supernet, decisions=decisions: supernet.at(decisions)(x)  # noqa: E731
        parameters = list(supernet.parameters())
        ours_bytes = saved_bytes(forward, parameters)
        ours, theirs = step(forward, parameters), step(lambda: plain(x), list(plain.parameters()))
        ours_s, theirs_s, ratio = in_turn(ours, theirs, 15)
        found[n_widths, len(kernels)] = ours_bytes, ours_s
        name = f"{n_widths} widths x {len(kernels)} kernels"
        row(f"{name}, memory", f"{theirs_bytes / 1e6:.1f} MB", ours_bytes / theirs_bytes, 1.2)
        row(f"{name}, time", f"{theirs_s * 1e3:.1f} ms", ratio, 4.0)
    (eight_bytes, eight_s), (sixteen_bytes, sixteen_s) = found[8, 3], found[16, 3]
    row("16 widths / 8 widths, memory", f"{eight_bytes / 1e6:.1f} MB", sixteen_bytes / eight_bytes, 1.05)
    row("16 widths / 8 widths, time", f"{eight_s * 1e3:.1f} ms", sixteen_s / eight_s, 1.05)


PARTS: Mapping[str, Step] = {"steps": steps, "memory": memory, "construction": construction, "widths": widths}


def main() -> None:
    torch.set_num_threads(1)
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
