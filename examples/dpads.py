"""Differentiable program synthesis in one super-network: dPads on windows of two mice that meet.

    OMP_NUM_THREADS=1 DEEP_ARCH_DATA=... python examples/dpads.py --seeds 3

A program reads 13 frames of 18 features and says whether one mouse investigates the other. The language is that of
`mice.py`: averages over frames, then sums, products and choices of affine functions of a few features. Every program of
at most four levels is in one super-network, whose productions share their arguments by place. `DPads` unfolds it,
prunes it, and fixes what is left, in the loop of any relaxed search. What is printed is the F1 of validation windows,
by which the best epoch of the program's last training is chosen too. Without the data there are made-up windows.

References:
    Cui and Zhu, Differentiable Synthesis of Program Architectures (NeurIPS 2021).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import mice
import torch
from torch import Tensor, nn
from torch.nn import functional

import deep_arch as da
from deep_arch.backends import torch_backend
from deep_arch.searchers import DPads, Stage

BATCH = 50
PRICE = 0.001
"""Log loss that a decision must gain."""

SCHEDULE = (Stage(2, 5), Stage(2, 3, keep=6), Stage(4, 5), Stage(4, 3, keep=4), Stage(4, 3, keep=2))

programs = mice.language(hole_units=8).limit(max_depth=4)


# --- data and training ------------------------------------------------------------------------------------------------


class Windows(NamedTuple):
    x: Tensor
    y: Tensor

    def batches(self, size: int, rng: torch.Generator) -> Iterator[Windows]:
        """Yield batches in a random order, without end."""
        while True:
            for at in torch.split(torch.randperm(len(self.y), generator=rng), size)[: len(self.y) // size]:
                yield Windows(self.x[at], self.y[at])


def load() -> tuple[Windows, Windows]:
    """Return windows to learn from and to validate with."""
    x, y = mice.load()
    train, valid = [Windows(torch.tensor(x[part]), torch.tensor(y[part]).float()) for part in ("train", "valid")]
    return train, valid


def loss(answers: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy, in which what is rare weighs more."""
    return functional.binary_cross_entropy_with_logits(answers[:, 0], y, weight=1 + (mice.CLASS_WEIGHT - 1) * y)


def f1(answers: Tensor, y: Tensor) -> float:
    return mice.scores(answers.detach()[:, 0].numpy(), y.numpy()).f1


def step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Windows) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss(model(batch.x), batch.y).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 0.25)
    optimizer.step()


class Found(NamedTuple):
    """A program, its model, how many steps the search had, and the validation's F1."""

    architecture: da.Architecture
    model: nn.Module
    n_trials: int
    f1: float


def search(train: Windows, valid: Windows, seed: int, schedule: Sequence[Stage] = SCHEDULE) -> Found:
    """Search a program, and train it alone as long as it gets better."""
    rng = torch.Generator().manual_seed(seed)
    weights_part, logits_part = torch.tensor_split(
        torch.randperm(len(train.y), generator=rng), [round(0.6 * len(train.y))]
    )
    epoch = len(weights_part) // BATCH
    descent = Windows(train.x[weights_part], train.y[weights_part]).batches(BATCH, rng)
    held_out = Windows(train.x[logits_part], train.y[logits_part]).batches(len(logits_part) // epoch, rng)

    searcher = DPads(epoch=epoch, schedule=schedule, price=PRICE)
    supernet = torch_backend.supernet(programs, mice.FRAMES, seed=seed, share="position")
    with torch.no_grad():
        for name, weight in supernet.named_parameters():
            if "hole" not in name:  # else what happens to do least harm is preferred, before anything was learnt
                weight.mul_(0.1)
    branches = torch_backend.branches(supernet, searcher)
    optimizer = torch.optim.Adam(supernet.parameters(), lr=0.05)
    trials = da.search(programs, searcher, trials=100_000, seed=seed)
    for trial in trials:
        model = branches.at(trial)
        step(model, optimizer, next(descent))
        x, y = next(held_out)
        score = -loss(model(x), y)
        trial.tell(score.item(), slopes=model.slopes(score))
    (values,) = searcher.best()
    architecture = programs.at(values)
    alone = branches.build(architecture)
    return Found(architecture, alone, len(trials.trials), train_alone(alone, train, valid, seed))


def train_alone(model: nn.Module, train: Windows, valid: Windows, seed: int, epochs: int = 30) -> float:
    """Train on all windows, keep the weights of the epoch that is best by the validation's F1, and return that."""
    batches = train.batches(BATCH, torch.Generator().manual_seed(seed))
    optimizer, best = torch.optim.Adam(model.parameters(), lr=0.01), (-1.0, dict[str, Tensor]())
    for _ in range(epochs):
        for _ in range(len(train.y) // BATCH):
            step(model, optimizer, next(batches))
        score = f1(model(valid.x), valid.y)
        if score > best[0]:
            best = score, {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(best[1])
    return best[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="of every stage; those that were chosen if left out")
    arguments = parser.parse_args()
    train, valid = load()
    n: int | None = arguments.epochs
    schedule = [stage if n is None else stage._replace(epochs=n) for stage in SCHEDULE]
    print("seed  trials  seconds     F1  program")
    for seed in range(arguments.seeds):
        began = time.process_time()
        found = search(train, valid, seed, schedule)
        figures = f"{seed:>4}{found.n_trials:>8}{time.process_time() - began:>9.0f}{found.f1:>7.3f}"
        print(f"{figures}  {da.text(found.architecture)}", flush=True)


if __name__ == "__main__":
    main()
