"""Search the cells of NATS-Bench with shared weights, really trained, and compare with the published table.

    OMP_NUM_THREADS=1 python examples/nats_weight_sharing.py ranking --seconds 150 --seeds 3
    OMP_NUM_THREADS=1 python examples/nats_weight_sharing.py methods --seconds 150 --seeds 1

`ranking` trains a super-network on one random cell at each step. Then it scores a pool of 200 cells, drawn beforehand,
by the shared weights, and prints Kendall's tau to what the table says of these cells; and what regularized evolution
finds with the shared weights for a score. `methods` runs the six searches of NATS-Bench with shared weights, and prints
what the table says of the cells that they give.

What differs from the publication, so that methods compare with each other here, but not with their published figures:
the super-network has 8 channels and one cell a stage, not 16 and five; it sees 10,000 images of 16 x 16, not 25,000 of
32 x 32; it is trained for minutes on one CPU core, not for hours on a GPU, from a learning rate of 0.1, not 0.025; GDAS
steps its weights and its logits on one draw, not on two; ENAS has independent logits, not an LSTM. The table's
accuracies are those of full networks trained alone. Settings were fixed before any of these runs; none was chosen by
what the table says of test images.

The files are those of `benchmark_tables.py`, and beside them `cifar10_16px/cifar10_16px_small.npz`: CIFAR-10, 2 x 2
pixels averaged.

References:
    Dong, Liu, Musial and Gabrys, NATS-Bench (TPAMI 2021), section 5 and table 6; the code is D-X-Y/AutoDL-Projects.
    Liu et al., DARTS (ICLR 2019); Dong and Yang, GDAS (CVPR 2019) and SETN (ICCV 2019); Pham et al., ENAS (ICML 2018);
    Li and Talwalkar, RSPS (UAI 2019).
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from benchmark_tables import load, path_of, row_of
from scipy.stats import kendalltau
from torch import Tensor
from torch.nn import functional

import deep_arch as da
from deep_arch import searchers
from deep_arch.backends import torch_backend
from deep_arch.testing.published_networks import NB201_EDGES, nb201

Cell = Mapping[str, Any]

CHANNELS, CELLS, BATCH = 8, 1, 64
LEARNING_RATE, LAST_LEARNING_RATE, MOMENTUM, DECAY, CLIP = 0.1, 0.001, 0.9, 5e-4, 5.0
POOL_SEED, N_POOL = 12345, 200
N_SCORED = 2000  # validation images that a cell of the pool is scored on
N_CANDIDATES, N_GLANCE = 100, 512  # what a search scores in the end, and on how many images

STEPS_A_SECOND: Final = {"rsps": 45.0, "enas": 33.0, "setn": 10.0, "gdas": 20.0, "darts1": 7.0, "darts2": 2.5}
"""Steps that one core takes in a second; so a run ends after as many steps on every machine, and gives the same."""

PUBLISHED: Final = {  # CIFAR-10 test accuracy, mean of three searches
    "rsps": "91.05",
    "enas": "93.76",
    "setn": "92.72",
    "gdas": "93.23",
    "darts1": "59.84",
    "darts2": "65.38",
}


# --- data -------------------------------------------------------------------------------------------------------------


class Images(NamedTuple):
    """Images of shape (n, 3, 16, 16), and their classes."""

    x: Tensor
    y: Tensor


def load_images() -> tuple[Images, Images]:
    """Return 10,000 images to train the weights on, and 10,000 to choose by."""
    with np.load(path_of("cifar10_16px").with_name("cifar10_16px_small.npz")) as arrays:
        x, y = torch.from_numpy(arrays["train_x"]).permute(0, 3, 1, 2) / 255, torch.from_numpy(arrays["train_y"])
    x = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True)
    return Images(x[:10_000], y[:10_000].long()), Images(x[10_000:], y[10_000:].long())


class Batches:
    """Batches in an order of their own in each epoch, every other image mirrored, without end."""

    def __init__(self, images: Images, seed: int) -> None:
        self.images = images
        self.generator = torch.Generator().manual_seed(seed)
        self.order: list[Tensor] = []

    def next(self) -> Images:
        if not self.order:
            order = torch.randperm(len(self.images.y), generator=self.generator)
            self.order = [order[i : i + BATCH] for i in range(0, len(order) - BATCH + 1, BATCH)]
        rows = self.order.pop()
        mirrored = torch.rand(BATCH, 1, 1, 1, generator=self.generator) < 0.5
        x = self.images.x[rows]
        return Images(torch.where(mirrored, x.flip(3), x), self.images.y[rows])


# --- one super-network in training ------------------------------------------------------------------------------------


class Training:
    """A super-network, what it is trained on, and the ways of scoring a cell by its weights."""

    def __init__(self, seed: int, n_steps: int) -> None:
        self.seed, self.n_steps = seed, n_steps
        self.space = nb201(CHANNELS, CELLS, affine=False)
        self.supernet: Any = torch_backend.supernet(self.space, da.image(3, 16, 16), seed=seed)
        training, self.validation = load_images()
        self.batches, self.others = Batches(training, seed), Batches(self.validation, seed + 1)
        self.weights = list(self.supernet.parameters())
        self.optimizer = torch.optim.SGD(self.weights, LEARNING_RATE, MOMENTUM, weight_decay=DECAY, nesterov=True)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, n_steps, LAST_LEARNING_RATE)

    def search(self, searcher: da.Searcher) -> Iterable[da.Trial]:
        """Give as many trials as the weights take steps."""
        return da.search(self.space, searcher, trials=self.n_steps, seed=self.seed, duplicates="give")

    def learn(self, model: Any) -> Images:
        """Take a step of the weights that a model reaches, and return the batch."""
        batch = self.batches.next()
        self.optimizer.zero_grad(set_to_none=True)  # what a path does not reach stays as it is
        functional.cross_entropy(model.train()(batch.x), batch.y).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.weights, CLIP)
        self.optimizer.step()
        self.schedule.step()
        return batch

    def quality(self, model: Any) -> Tensor:
        """Return minus the loss on a batch of validation images, with its graph."""
        batch = self.others.next()
        return -functional.cross_entropy(model(batch.x), batch.y)

    @torch.no_grad()
    def accuracy(self, cell: Cell | da.Trial, n_images: int) -> float:
        """Return the share of the first validation images that a cell gets right, with the statistics of each batch."""
        model = self.supernet.at(cell).train()
        parts = [slice(i, min(i + 250, n_images)) for i in range(0, n_images, 250)]
        x, y = self.validation
        return sum([int((model(x[part]).argmax(1) == y[part]).sum()) for part in parts]) / n_images

    def best(self, cells: Sequence[Cell]) -> Cell:
        """Return the cell that gets the most of a glance at validation images right."""
        return max(cells, key=lambda cell: self.accuracy(cell, N_GLANCE))

    def drawn(self, searcher: da.Searcher) -> list[Cell]:
        """Return candidates that a searcher proposes as it is now."""
        return [dict(searcher.ask() or {}) for _ in range(N_CANDIDATES)]


# --- the methods ------------------------------------------------------------------------------------------------------


def rsps(training: Training) -> Cell:
    """Train random cells, and score random cells in the end (Li and Talwalkar)."""
    for trial in training.search(searchers.RandomSearch()):
        training.learn(training.supernet.at(trial))
        trial.skip()
    rng = random.Random(training.seed)
    return training.best([draw_cell(training.space, rng) for _ in range(N_CANDIDATES)])


def enas(training: Training) -> Cell:
    """Train cells of a policy, which learns from their accuracy on a batch (Pham et al.)."""
    policy = searchers.Reinforce()
    for trial in training.search(policy):
        model = training.supernet.at(trial)
        training.learn(model)
        batch = training.others.next()
        with torch.no_grad():
            trial.tell(float((model(batch.x).argmax(1) == batch.y).float().mean()))
    return training.best(training.drawn(policy))


def setn(training: Training) -> Cell:
    """Train random cells, and a mixture on other images; score its likeliest cells (Dong and Yang)."""
    searcher = searchers.SETN()
    for trial in training.search(searcher):
        training.learn(training.supernet.at(trial.architecture))
        model = training.supernet.at(trial)
        score = training.quality(model)
        trial.tell(score.item(), slopes=model.slopes(score))
    return training.best(searcher.best(N_CANDIDATES))


def gdas(training: Training) -> Cell:
    """Train one operation on each edge, drawn from a mixture that gets its slope from it (Dong and Yang)."""
    return first_order(training, searchers.GDAS(steps=training.n_steps))


def darts1(training: Training) -> Cell:
    """Train all operations mixed, and the mixture by its slope on other images (Liu et al., first order)."""
    return first_order(training, searchers.DARTS())


def first_order(training: Training, searcher: searchers.DARTS | searchers.GDAS) -> Cell:
    """Alternate steps of the weights and of the mixture, and give its likeliest cell."""
    for trial in training.search(searcher):
        model = training.supernet.at(trial)
        training.learn(model)
        score = training.quality(model)
        trial.tell(score.item(), slopes=model.slopes(score))
    return searcher.best(1)[0]


def darts2(training: Training) -> Cell:
    """Let the mixture look one step of the weights ahead (Liu et al., second order, equation 7)."""
    searcher, scores = searchers.DARTS(), list[Tensor]()
    for trial in training.search(searcher):
        model = training.supernet.at(trial)
        batch = training.learn(model)
        error = functional.cross_entropy(model(batch.x), batch.y)
        rate = training.schedule.get_last_lr()[0]

        def ahead(model: Any = model) -> Tensor:
            scores[:] = [training.quality(model)]
            return scores[0]

        slopes = model.slopes(ahead, unrolled=(error, rate))
        trial.tell(scores[0].item(), slopes=slopes)
    return searcher.best(1)[0]


METHODS: dict[str, Callable[[Training], Cell]] = {
    function.__name__: function for function in (rsps, enas, setn, gdas, darts1, darts2)
}


# --- what the table says of cells -------------------------------------------------------------------------------------


def draw_cell(space: da.SearchSpace, rng: random.Random) -> Cell:
    """Draw a cell, each node of which has an edge that is not absent, as the publication does."""
    while True:
        values = space.sample(rng).values
        nodes = [[values[edge] for edge in NB201_EDGES if edge.startswith(f"edge_{node}")] for node in (1, 2, 3)]
        if all(set(edges) != {"none"} for edges in nodes):
            return values


def draw_pool(space: da.SearchSpace) -> list[Cell]:
    """Draw the cells that every ranking is measured on: any cells, each once."""
    rng, cells = random.Random(POOL_SEED), dict[int, Cell]()
    while len(cells) < N_POOL:
        values = space.sample(rng).values
        cells.setdefault(row_of(values), values)
    return list(cells.values())


def column(name: str, cells: Iterable[Cell]) -> list[float]:
    """Return what a column of the table says of CIFAR-10 and these cells, in percent."""
    accuracies = load("nb201")[f"{name}_cifar10"]
    return [float(accuracies[row_of(cell)]) for cell in cells]


def tau(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Kendall's rank correlation, with ties as in tau-b."""
    correlation: Any = kendalltau(a, b)
    return float(correlation.statistic)


def evolved(training: Training) -> Cell:
    """Return what regularized evolution finds with the trained weights for a score."""
    searcher = searchers.RegularizedEvolution(population=20, sample=5)
    search = da.search(training.space, searcher, trials=200, seed=training.seed)
    for trial in search:
        trial.tell(training.accuracy(trial, 1000))
    return search.best.values


# --- the two experiments ----------------------------------------------------------------------------------------------


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return a mean, and the standard deviation where there are several."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def train(method: str, seconds: float, seed: int) -> tuple[Training, Cell, float]:
    """Train by a method; return what was trained, the cell that it gives, and the CPU time."""
    start = time.process_time()
    training = Training(seed, max(1, round(STEPS_A_SECOND[method] * seconds)))
    cell = METHODS[method](training)
    return training, cell, time.process_time() - start


def ranking(seconds: float, seeds: Sequence[int], method: str = "rsps") -> None:
    """Print how well shared weights rank the pool, and what evolution finds with them."""
    pool = draw_pool(nb201(CHANNELS, CELLS, affine=False))
    test, quick, full = (column(name, pool) for name in ("test200", "val12", "val200"))
    print(f"pool of {N_POOL} cells: test {spread(test)}, best {max(test):.2f}")
    print(f"{'seed':>4}{'steps':>7}{'CPU s':>7}{'accuracy':>10}{'tau val12':>11}{'val200':>8}{'test200':>9}"
          f"{'top 5':>8}{'evolved':>9}{'own':>8}", flush=True)  # fmt: skip
    rows = list[tuple[float, ...]]()
    for seed in seeds:
        training, own, cpu_s = train(method, seconds, seed)
        scores = [training.accuracy(cell, N_SCORED) for cell in pool]
        top = sorted(range(N_POOL), key=scores.__getitem__)[-5:]
        found = column("test200", [evolved(training), own])
        taus = [tau(scores, truth) for truth in (quick, full, test)]
        rows.append((100 * statistics.fmean(scores), *taus, statistics.fmean([test[i] for i in top]), *found))
        a, b, c, d, e, f, g = rows[-1]
        print(f"{seed:4}{training.n_steps:7}{cpu_s:7.0f}{a:10.1f}{b:11.2f}{c:8.2f}{d:9.2f}{e:8.2f}{f:9.2f}{g:8.2f}",
              flush=True)  # fmt: skip
    names = ("accuracy", "tau to val12", "tau to val200", "tau to test200", "top 5: test", "evolved: test", "own: test")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        print(f"{name:16}{spread(values)}")


def methods(seconds: float, seeds: Sequence[int], names: Sequence[str]) -> None:
    """Print what the table says of the cell that each method gives, beside the published figure."""
    test = column("test200", draw_pool(nb201(CHANNELS, CELLS, affine=False)))
    print(f"random cells: test {spread(test)}, best of {N_POOL} {max(test):.2f}")
    print(f"{'method':8}{'CPU s':>7}{'steps':>7}  {'test':16}{'published':16}cells' test accuracies")
    for name in names:
        runs = [train(name, seconds, seed) for seed in seeds]
        found = column("test200", [cell for _, cell, _ in runs])
        cpu_s = statistics.fmean([cpu_s for _, _, cpu_s in runs])
        each = ", ".join([f"{value:.2f}" for value in found])
        print(f"{name:8}{cpu_s:7.0f}{runs[0][0].n_steps:7}  {spread(found):16}{PUBLISHED[name]:16}{each}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Search the cells of NATS-Bench with shared weights.")
    parser.add_argument("experiment", choices=["ranking", "methods"])
    parser.add_argument("--seconds", type=float, default=150.0, help="CPU time of one training, about")
    parser.add_argument("--seeds", type=int, default=3, help="how many trainings")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--method", choices=list(METHODS), action="append", help="which; all if left out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    if options.experiment == "ranking":
        ranking(options.seconds, seeds, *(options.method or ["rsps"]))
    else:
        methods(options.seconds, seeds, options.method or list(METHODS))


if __name__ == "__main__":
    main()
