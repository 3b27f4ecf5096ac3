"""Six searches with shared weights, each a loop of a few lines, on scikit-learn's digits; in half a minute.

    OMP_NUM_THREADS=1 python examples/weight_sharing.py --steps 300 --seed 0

A super-network holds the weights of every architecture of a space once. `supernet.at(trial)` is one of them, which
trains and runs like any model; with a relaxed searcher it is a mixture of them. The loops differ in who proposes, and
in what is done with the model:

- single paths: random paths are trained; then evolution searches them with the trained weights, within a bound on cost,
- the sandwich rule: the largest, the smallest and random paths are trained, all others on what the largest says,
- ENAS: the paths that are trained are drawn from a policy, which learns from their accuracy,
- TuNAS: the same, where the reward counts cost too, and the widest paths come first,
- DARTS: all alternatives are mixed, and the mixture learns by its slopes,
- GDAS: one alternative of each decision is drawn and run, and the mixture learns by the slopes of those.

Each ends with an architecture. What counts is how well that does on test images once it is trained alone.

References:
    Guo et al., Single path one-shot (ECCV 2020), sections 3.2 to 3.4; Yu et al., BigNAS (ECCV 2020), section 3.1;
    Pham et al., ENAS (ICML 2018); Bender et al., TuNAS (CVPR 2020), equation 2; Liu et al., DARTS (ICLR 2019); Dong and
    Yang, GDAS (CVPR 2019).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import deep_arch as da
from deep_arch import ops, searchers
from deep_arch.backends import torch_backend

IMAGE = da.image(channels=1, height=8, width=8)
TARGET_MACS = 60_000


# --- the space --------------------------------------------------------------------------------------------------------


def conv(filters: Any, kernel: Any) -> da.Module:
    return ops.Conv2D(filters, kernel, use_bias=False)


def separable(filters: Any, kernel: Any) -> da.Module:
    return da.sequential(
        lambda: ops.DepthwiseConv2D(kernel, use_bias=False), lambda: ops.Conv2D(filters, 1, use_bias=False)
    )


def block() -> da.Module:
    filters, kernel = da.choice([8, 16, 24], name="filters"), da.choice([1, 3, 5], name="kernel")
    kinds = {"conv": lambda: conv(filters, kernel), "separable": lambda: separable(filters, kernel)}
    return da.sequential(lambda: da.or_(kinds), ops.BatchNormalization, ops.ReLU)


@da.space
def net(image: Any) -> Any:
    x = da.sequential(block, block, ops.MaxPooling2D, block)(image)
    return ops.Dense(10)(ops.GlobalAveragePooling2D()(x))


# --- data and training ------------------------------------------------------------------------------------------------


class Images(NamedTuple):
    x: Tensor
    y: Tensor


def load() -> tuple[Images, Images, Images]:
    """Return 1,000 images to train on, 400 to choose by, and 397 to test with."""
    images, labels = map(torch.tensor, load_digits(return_X_y=True))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x, y = images.float().reshape(-1, 1, 8, 8)[order] / 16, labels[order]
    return Images(x[:1000], y[:1000]), Images(x[1000:1400], y[1000:1400]), Images(x[1400:], y[1400:])


TRAINING, VALIDATION, TEST = load()


def batches(images: Images, seed: int, size: int = 50) -> Iterator[Images]:
    """Yield batches without end, in another order in each epoch."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(images.y), generator=generator)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield Images(images.x[rows], images.y[rows])


def loss(model: nn.Module, batch: Images) -> Tensor:
    return functional.cross_entropy(model(batch.x), batch.y)


@torch.no_grad()
def accuracy(model: nn.Module, batch: Images) -> float:
    """Return the share that a model gets right, with the statistics of the batch, as shared ones mix all paths."""
    return float((model.train()(batch.x).argmax(1) == batch.y).float().mean())


class Shared:
    """A super-network of `net` and its optimizer, for the loops below."""

    def __init__(self, n_steps: int, seed: int) -> None:
        self.n_steps, self.seed = n_steps, seed
        self.net = torch_backend.supernet(net, IMAGE, seed=seed)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        self.batches, self.others = batches(TRAINING, seed), batches(VALIDATION, seed)

    def trials(self, searcher: da.Searcher, of_a_step: int = 1) -> Iterator[da.Trial]:
        """Give so many trials for each step; the same architecture may come again."""
        return da.search(net, searcher, trials=of_a_step * self.n_steps, seed=self.seed, duplicates="give")

    def step(self, error: Tensor) -> None:
        """Take a step down an error; what it did not reach stays as it is."""
        self.optimizer.zero_grad(set_to_none=True)
        error.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


# --- six loops --------------------------------------------------------------------------------------------------------


def single_paths(shared: Shared) -> da.Architecture:
    for trial in shared.trials(searchers.RandomSearch()):
        shared.step(loss(shared.net.at(trial), next(shared.batches)))
        trial.skip()
    return evolved(shared)


def evolved(shared: Shared) -> da.Architecture:
    """Return what evolution finds within a bound on cost, by shared weights that no longer change."""
    affordable = searchers.within(IMAGE, macs=TARGET_MACS)
    evolution = searchers.Feasible(searchers.RegularizedEvolution(population=20, sample=5), affordable)
    search = da.search(net, evolution, trials=100, seed=shared.seed)
    for trial in search:
        trial.tell(accuracy(shared.net.at(trial), VALIDATION))
    return search.best.architecture


def sandwich(shared: Shared) -> da.Architecture:
    batch, teacher = next(shared.batches), torch.empty(0)
    for trial in shared.trials(searchers.Sandwich(n_random=2), of_a_step=4):  # the largest, the smallest, two between
        largest = trial.number % 4 == 0
        batch = next(shared.batches) if largest else batch
        logits = shared.net.at(trial)(batch.x)
        functional.cross_entropy(logits, batch.y if largest else teacher).backward()  # type: ignore[no-untyped-call]
        teacher = logits.detach().softmax(1) if largest else teacher
        if trial.number % 4 == 3:
            shared.optimizer.step()
            shared.optimizer.zero_grad(set_to_none=True)
        trial.skip()
    return evolved(shared)


def enas(shared: Shared) -> da.Architecture:
    policy = searchers.Reinforce()
    for trial in shared.trials(policy):
        model = shared.net.at(trial)
        shared.step(loss(model, next(shared.batches)))
        trial.tell(accuracy(model, next(shared.others)))
    return best_of(policy, shared)


def tunas(shared: Shared) -> da.Architecture:
    policy = searchers.WidestFirst(searchers.Reinforce(), trials=shared.n_steps)
    for trial in shared.trials(policy):
        model = shared.net.at(trial)
        shared.step(loss(model, next(shared.batches)))
        macs = trial.architecture.cost(IMAGE).macs
        right = accuracy(model, next(shared.others))
        trial.tell(da.rewards.absolute(right, cost=macs, target=TARGET_MACS, weight=-0.3))
    return best_of(policy, shared)


def darts(shared: Shared) -> da.Architecture:
    return relaxed(shared, searchers.DARTS(learning_rate=0.02))


def gdas(shared: Shared) -> da.Architecture:
    return relaxed(shared, searchers.GDAS(steps=shared.n_steps, learning_rate=0.02))


def relaxed(shared: Shared, searcher: searchers.DARTS | searchers.GDAS) -> da.Architecture:
    for trial in shared.trials(searcher):
        model = shared.net.at(trial)
        shared.step(loss(model, next(shared.batches)))
        score = -loss(model, next(shared.others))
        trial.tell(score.item(), slopes=model.slopes(score))
    return net.at(searcher.best(1)[0])


def best_of(policy: da.Searcher, shared: Shared, n: int = 20) -> da.Architecture:
    """Return the best of what a policy proposes now, by shared weights and all validation images."""
    proposals = [net.at(policy.ask() or {}) for _ in range(n)]
    return max(proposals, key=lambda architecture: accuracy(shared.net.at(architecture), VALIDATION))


LOOPS: dict[str, Callable[[Shared], da.Architecture]] = {
    function.__name__: function for function in (single_paths, sandwich, enas, tunas, darts, gdas)
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Search with shared weights in six ways.")
    parser.add_argument("--steps", type=int, default=300, help="of the super-network's training")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'loop':14}{'CPU s':>7}{'MACs':>10}{'inherited':>11}{'alone':>8}")
    for name, loop in LOOPS.items():
        start = time.process_time()
        shared = Shared(options.steps, options.seed)
        found = loop(shared)
        cpu_s = time.process_time() - start
        inherited = accuracy(shared.net.at(found), TEST)
        print(f"{name:14}{cpu_s:7.1f}{found.cost(IMAGE).macs:10,}{inherited:11.1%}{alone(found, options):8.1%}")


def alone(architecture: da.Architecture, options: argparse.Namespace) -> float:
    """Train an architecture from new weights for as many steps, and return its accuracy on test images."""
    model = torch_backend.build(architecture, IMAGE, seed=options.seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    for _, batch in zip(range(options.steps), batches(TRAINING, options.seed), strict=False):
        optimizer.zero_grad()
        loss(model, batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return accuracy(model, TEST)


if __name__ == "__main__":
    main()
