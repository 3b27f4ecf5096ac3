"""Searches with shared weights on MNIST-1D: under a cost (TuNAS), with hyperparameters (AutoHAS), and for widths.

    OMP_NUM_THREADS=1 python examples/mnist1d_searches.py tunas autohas widths --seeds 5

- tunas: widths and kernels of three layers, whose multiplications shall be a quarter's quantile of all networks';
- autohas: these together with learning rate and weight decay, beside each of the two alone at the same cost;
- widths: five widths, as in NATS-Bench, by masks, by interpolation and by sampling: accuracy, multiplications, memory.

What a search gives is trained alone, from new weights, and tested on images that no search saw. The file is
`mnist1d/mnist1d.npz` where `benchmark_tables.py` looks for its tables.

References:
    Greydanus and Kobak, Scaling down deep learning with MNIST-1D (ICML 2024).
    Bender et al., TuNAS (CVPR 2020). Dong et al., AutoHAS (arXiv 2006.03656). Wan et al., FBNetV2 (CVPR 2020); Dong and
    Yang, TAS (NeurIPS 2019); Dong et al., NATS-Bench (TPAMI 2021), section 3.2.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from benchmark_tables import load
from torch import Tensor, nn
from torch.nn import functional

import deep_arch as da
from deep_arch import ops, searchers
from deep_arch.backends import torch_backend
from deep_arch.testing.published_networks import nats_sizes

SIGNAL = da.tensor(1, 40)
BATCH = 64
LEARNING_RATE, DECAY, MOMENTUM = 0.1, 1e-4, 0.9

LEARNING_RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
DECAYS = (0.0, 1e-4, 1e-3, 1e-2)


# --- data and training ------------------------------------------------------------------------------------------------


class Signals(NamedTuple):
    """Signals of shape (n, 1, 40), and their classes."""

    x: Tensor
    y: Tensor


def load_signals() -> tuple[Signals, Signals, Signals]:
    """Return 3,000 signals to train on, 1,000 to choose by, and 1,000 to test with."""
    arrays = load("mnist1d")
    x, y = torch.from_numpy(arrays["x"])[:, None].float(), torch.from_numpy(arrays["y"]).long()
    test = Signals(torch.from_numpy(arrays["x_test"])[:, None].float(), torch.from_numpy(arrays["y_test"]).long())
    return Signals(x[:3000], y[:3000]), Signals(x[3000:], y[3000:]), test


def batches(signals: Signals, seed: int) -> Iterator[Signals]:
    """Yield batches without end, in another order in each epoch."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(signals.y), generator=generator)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            yield Signals(signals.x[rows], signals.y[rows])


def loss(model: nn.Module, batch: Signals) -> Tensor:
    return functional.cross_entropy(model(batch.x), batch.y)


@torch.no_grad()
def accuracy(model: nn.Module, batch: Signals) -> float:
    """Return the share that a model gets right as it is, in training with the statistics of the batch."""
    return float((model(batch.x).argmax(1) == batch.y).float().mean())


def sgd(parameters: Iterator[nn.Parameter], rate: float = LEARNING_RATE, decay: float = DECAY) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, rate, MOMENTUM, weight_decay=decay)


def descend(optimizer: torch.optim.Optimizer, error: Tensor) -> None:
    """Take a step down an error; what it did not reach stays as it is."""
    optimizer.zero_grad(set_to_none=True)
    error.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def alone(
    architecture: da.Architecture, seed: int, n_steps: int, rate: float = LEARNING_RATE, decay: float = DECAY
) -> float:
    """Train an architecture from new weights, the rate falling to 0; return its accuracy on the test signals."""
    model = torch_backend.build(architecture, SIGNAL, seed=seed)
    optimizer = sgd(model.parameters(), rate, decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    training, _, test = load_signals()
    for _, batch in zip(range(n_steps), batches(training, seed), strict=False):
        descend(optimizer, loss(model, batch))
        schedule.step()
    return accuracy(model.eval(), test)


class Shared:
    """A super-network of a space, its optimizer and its data."""

    def __init__(self, space: da.SearchSpace, n_steps: int, seed: int) -> None:
        self.space, self.n_steps, self.seed = space, n_steps, seed
        self.net: Any = torch_backend.supernet(space, SIGNAL, seed=seed)
        self.optimizer = sgd(self.net.parameters())
        training, self.validation, _ = load_signals()
        self.batches, self.others = batches(training, seed), batches(self.validation, seed + 1)

    def trials(self, searcher: da.Searcher, space: da.SearchSpace | None = None) -> Iterator[da.Trial]:
        """Give as many trials as there are steps; the same architecture may come again."""
        return da.search(space or self.space, searcher, trials=self.n_steps, seed=self.seed, duplicates="give")

    def best(self, policy: da.Searcher, n: int = 20) -> da.Architecture:
        """Return the best of what a policy proposes now, by the shared weights and all validation signals."""
        proposals = [policy.space.at(policy.ask() or {}) for _ in range(n)]
        return max(proposals, key=lambda architecture: accuracy(self.net.at(architecture), self.validation))


def spread(values: Sequence[float], digits: int = 1, scale: float = 100.0) -> str:
    """Return a mean and a standard deviation, in percent."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{scale * statistics.fmean(values):.{digits}f} ± {scale * deviation:.{digits}f}"


# --- under a cost -----------------------------------------------------------------------------------------------------


def layers(x: Any) -> Any:
    """Build three layers, each with a width and a kernel to be decided."""
    for layer in range(3):
        filters = da.choice([8, 16, 24, 32, 48, 64], name=f"filters_{layer}")
        kernel = da.choice([3, 5, 7], name=f"kernel_{layer}")
        x = ops.Conv1D(filters, kernel, strides=1 if layer == 0 else 2, use_bias=False)(x)
        x = ops.ReLU()(ops.BatchNormalization(momentum=0.9)(x))
    return ops.Dense(10)(ops.Flatten()(x))


stacked = da.space(layers)


def macs(architecture: da.Architecture) -> int:
    return architecture.cost(SIGNAL).macs


def tunas(seeds: Sequence[int], n_steps: int, n_alone: int) -> None:
    """Print how near to its target the cost of what TuNAS proposes comes, and how good what it gives is."""
    sampled = sorted([macs(stacked.sample(seed)) for seed in range(400)])
    target = sampled[100]
    print(f"TuNAS: target {target:,} multiplications; networks have {sampled[0]:,} to {sampled[-1]:,}")
    print(f"{'seed':>4}{'CPU s':>7}{'cost / target':>16}{'inherited':>11}{'alone':>8}{'random, of such cost':>22}")
    for seed in seeds:
        start = time.process_time()
        shared = Shared(stacked, n_steps, seed)
        policy = searchers.WidestFirst(searchers.Reinforce(), trials=n_steps)
        for trial in shared.trials(policy):
            model = shared.net.at(trial)
            descend(shared.optimizer, loss(model, next(shared.batches)))
            right, cost = accuracy(model, next(shared.others)), macs(trial.architecture)
            trial.tell(da.rewards.absolute(right, cost=cost, target=target, weight=-0.3))
        cpu_s = time.process_time() - start
        ratios = [macs(stacked.at(policy.ask() or {})) / target for _ in range(100)]
        found = shared.best(policy)
        peers = [a for a in map(stacked.sample, range(1000, 3000)) if abs(macs(a) / macs(found) - 1) < 0.05][:3]
        print(
            f"{seed:4}{cpu_s:7.0f}{spread(ratios, 3, 1.0):>16}{accuracy(shared.net.at(found), shared.validation):11.1%}"
            f"{alone(found, seed, n_alone):8.1%}{spread([alone(peer, seed, n_alone) for peer in peers]):>22}",
            flush=True,
        )


# --- with hyperparameters ---------------------------------------------------------------------------------------------


@da.space
def configured(x: Any) -> Any:
    """Build the same layers, with a learning rate and a weight decay to be decided too."""
    da.config(
        learning_rate=da.choice(LEARNING_RATES, name="learning_rate"), weight_decay=da.choice(DECAYS, name="decay")
    )
    return layers(x)


USUAL: Mapping[str, Any] = {"learning_rate": 0.03, "decay": 1e-4}
MIDDLE: Mapping[str, Any] = {f"{name}_{i}": value for i in range(3) for name, value in (("filters", 24), ("kernel", 5))}
FREE: Mapping[str, Mapping[str, Any]] = {"joint": {}, "architecture alone": USUAL, "hyperparameters alone": MIDDLE}


def autohas(seeds: Sequence[int], n_steps: int, n_alone: int) -> None:
    """Print how good a joint search is beside one of each half, at the same number of steps."""
    print(f"\nAutoHAS: {n_steps} steps each\n{'searched':24}{'CPU s':>7}{'alone':>14}  found")
    for name, fixed in FREE.items():
        space, tests, found, start = configured.fix(fixed), list[float](), list[str](), time.process_time()
        for seed in seeds:
            values = dict(joint(Shared(space, n_steps, seed)).values)
            architecture = configured.at(values)
            rate, decay = values["learning_rate"], values["decay"]
            tests.append(alone(architecture, seed, n_alone, rate, decay))
            found.append(f"{rate:g}/{decay:g}")
        cpu_s = (time.process_time() - start) / len(seeds)
        print(f"{name:24}{cpu_s:7.0f}{spread(tests):>14}  {', '.join(found)}", flush=True)


def joint(shared: Shared) -> da.Architecture:
    """Reward a network, learning rate and decay by the accuracy after one step with them, and take that step."""
    policy = searchers.Reinforce()
    for trial in shared.trials(policy):
        model, rates = shared.net.at(trial), trial.config
        error = loss(model, next(shared.batches))
        with shared.net.step(error, **rates, differentiable=False):
            right = accuracy(model, next(shared.others))
        (group,) = shared.optimizer.param_groups
        group.update(lr=rates["learning_rate"], weight_decay=rates["weight_decay"], momentum=0.0)
        descend(shared.optimizer, error)
        trial.tell(right)
    return shared.best(policy)


# --- widths -----------------------------------------------------------------------------------------------------------


def saved_bytes(run: Callable[[], Tensor]) -> int:
    """Return the bytes that a forward pass keeps for its backward pass, each storage once."""
    kept, alive = dict[int, int](), list[Tensor]()

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        alive.append(tensor)  # lest an address be used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(kept.values())


sizes = nats_sizes(widths=range(8, 65, 8), ndim=1)

WIDTHS: Mapping[str, Callable[[int], Any]] = {
    "masks": lambda n: searchers.GumbelMasking(steps=n, learning_rate=24 / n),
    "interpolation": lambda n: searchers.InterpolatedWidths(steps=n, learning_rate=24 / n),
    "sampling": lambda n: searchers.WidestFirst(searchers.Reinforce(), trials=n),
}
"""Logits can go as far as in the publication, whose 78,000 steps have a rate of 3e-4."""


def widths(seeds: Sequence[int], n_steps: int, n_alone: int) -> None:
    """Print what three ways of finding five widths under a cost give, and what they take."""
    sampled = [sizes.sample(seed) for seed in range(200)]
    target = sorted(map(macs, sampled))[50]
    peers = [architecture for architecture in sampled if abs(macs(architecture) / target - 1) < 0.05][:3]
    print(f"\nwidths: target {target:,} multiplications, {n_steps} steps each")
    print(f"{'by':15}{'CPU s':>7}{'saved MB':>10}{'cost / target':>16}{'alone':>14}")
    print(f"{'chance':15}{'':17}{spread([macs(p) / target for p in peers], 3, 1.0):>16}", end="")
    print(f"{spread([alone(peer, 0, n_alone) for peer in peers]):>14}", flush=True)
    for name, make in WIDTHS.items():
        ratios, tests, kept, start = list[float](), list[float](), list[int](), time.process_time()
        for seed in seeds:
            shared, searcher = Shared(sizes, n_steps, seed), make(n_steps)
            search_widths(shared, searcher, target, kept)
            found = sizes.at(searcher.best(1)[0]) if searcher.relaxed else shared.best(searcher)
            ratios.append(macs(found) / target)
            tests.append(alone(found, seed, n_alone))
        cpu_s = (time.process_time() - start) / len(seeds)
        print(
            f"{name:15}{cpu_s:7.0f}{statistics.fmean(kept) / 1e6:10.1f}{spread(ratios, 3, 1.0):>16}{spread(tests):>14}",
            flush=True,
        )


def search_widths(shared: Shared, searcher: da.Searcher, target: float, kept: list[int]) -> None:
    """Alternate steps of the weights and of a searcher; note the memory of the first step after the warm-up."""
    for trial in shared.trials(searcher):
        model, batch = shared.net.at(trial), next(shared.batches)
        if trial.number == shared.n_steps // 2:
            kept.append(saved_bytes(functools.partial(model, batch.x)))
        descend(shared.optimizer, loss(model, batch))
        other = next(shared.others)
        if searcher.relaxed:
            score = da.rewards.absolute(-loss(model, other), model.cost().macs, target, weight=-0.3)
            trial.tell(score.item(), slopes=model.slopes(score))
        else:
            cost = macs(trial.architecture)
            trial.tell(da.rewards.absolute(accuracy(model, other), cost, target, weight=-0.3))


EXPERIMENTS: Mapping[str, Callable[[Sequence[int], int, int], None]] = {
    "tunas": tunas,
    "autohas": autohas,
    "widths": widths,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Search with shared weights on MNIST-1D.")
    parser.add_argument("experiments", nargs="*", default="all", choices=["all", *EXPERIMENTS])
    parser.add_argument("--steps", type=int, default=4000, help="of each search")
    parser.add_argument("--seeds", type=int, default=5, help="how many searches of each kind")
    parser.add_argument("--steps-alone", type=int, default=1500, help="of the training of what is found")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in EXPERIMENTS if "all" in options.experiments else options.experiments:
        EXPERIMENTS[name](range(options.seeds), options.steps, options.steps_alone)


if __name__ == "__main__":
    main()
