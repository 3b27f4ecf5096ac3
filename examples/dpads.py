"""Differentiable program synthesis in one super-network: dPads on windows of two mice that meet.

    OMP_NUM_THREADS=1 DEEP_ARCH_DATA=... python examples/dpads.py --seeds 3

A program reads 13 frames of 18 features and says whether one mouse investigates the other. The language is a grammar:
averages over frames, then sums, products and choices of affine functions of a few features. Every program of at most
four levels is in one super-network, whose productions share their arguments by place. `DPads` unfolds it, prunes it,
and fixes what is left, in the loop of any relaxed search. What is printed is the F1 of validation windows, by which the
best epoch of the program's last training is chosen too. Without the data there are made-up windows.

References:
    Cui and Zhu, Differentiable Synthesis of Program Architectures (NeurIPS 2021). Sun et al., The Multi-Agent Behavior
    Dataset (NeurIPS 2021), task 1.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.searchers import DPads, Stage

GROUPS = {
    "HeadBodyAngle": (0, 1),
    "AxisRatio": (2, 3),
    "Speed": (4, 5),
    "Acceleration": (6, 7),
    "TangentialVelocity": (8, 9),
    "RelativeSocialAngle": (10, 11),
    "AngleBetween": (12,),
    "FacingAngle": (13, 14),
    "OverlapBboxes": (15,),
    "AreaEllipseRatio": (16,),
    "MinResNoseDist": (17,),
}
AVERAGES = {"Last5Avg": 5, "Last10Avg": 10, "Window5Avg": 3, "Window11Avg": 6}  # centred windows end with the frames
WINDOW = da.Spec((18, 13))
BATCH = 50


# --- the language -----------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Take(da.Operation):
    """Some of the features."""

    features: Sequence[int]

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(len(self.features), *x.shape[1:])

    def to_torch(self, emit: Any, specs: Any, x: Any) -> Any:
        return emit.function(lambda tensor: tensor[:, list(self.features)], x)


@dataclass(eq=False)
class LastAverage(da.Operation):
    """The mean of the last frames."""

    frames: int

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(x.shape[0])

    def to_torch(self, emit: Any, specs: Any, x: Any) -> Any:
        return emit.function(lambda tensor: tensor[..., -self.frames :].mean(-1), x)


class Gate(da.Operation):
    """(condition, a, b): a where the condition is high, b where it is low, smoothly."""

    def shape(self, condition: da.Spec, a: da.Spec, b: da.Spec) -> da.Spec:
        return a

    def to_torch(self, emit: Any, specs: Any, condition: Any, a: Any, b: Any) -> Any:
        return emit.function(lambda c, x, y: torch.lerp(y, x, torch.sigmoid(c)), condition, a, b)


def leaf(features: Sequence[int]) -> Any:
    return lambda x: ops.Dense(1)(Take(features)(x))


@da.rule
def atom() -> Any:
    """A function of one frame."""
    return da.or_(
        {
            "Add": lambda x: ops.Add()(atom()(x), atom()(x)),
            "Multiply": lambda x: ops.Multiply()(atom()(x), atom()(x)),
            "ITE": lambda x: Gate()(atom()(x), atom()(x), atom()(x)),
            **{name: leaf(features) for name, features in GROUPS.items()},
        },
        hole=lambda x: ops.Dense(1)(ops.ReLU()(ops.Dense(8)(x))),
    )


@da.rule
def sequence() -> Any:
    """A function of all frames."""
    averages = {name: lambda x, n=n: atom()(LastAverage(n)(x)) for name, n in AVERAGES.items()}
    gate = {"SimpleITE": lambda x: Gate()(sequence()(x), sequence()(x), sequence()(x))}
    return da.or_({**averages, **gate}, hole=lambda x: ops.Dense(1)(ops.LSTM(8)(x)))


programs = da.space(lambda frames: sequence()(frames)).limit(max_depth=4)


def term(values: Any, prefix: str = "sequence/or") -> str:
    """Return a program as text."""
    name = values[f"{prefix}.which"]
    inside = f"{prefix}[{name}]/"
    parts = [a.removesuffix(".which") for a in values if a.startswith(inside) and a.count("/") == prefix.count("/") + 2]
    return f"{name}({', '.join([term(values, part) for part in parts])})" if parts else str(name)


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
    """Return windows to learn from and to validate with; the features have mean 0 and variance 1 in the first."""
    path = Path(os.environ.get("DEEP_ARCH_DATA", "data")) / "calms21" / "calms21_task1.npz"
    if path.exists():
        with np.load(path) as data:
            parts = [(data[f"X_{part}"], data[f"y_investigation_{part}"]) for part in ("train", "valid")]
    else:
        rng = np.random.default_rng(0)
        drawn = [rng.normal(size=(n, 13, 18)).astype(np.float32) for n in (400, 200)]
        parts = [(x, x[:, -5:, 4].mean(1) * x[:, -5:, 17].mean(1) > 0) for x in drawn]
    found = [Windows(torch.tensor(x).transpose(1, 2).contiguous(), torch.tensor(y).float()) for x, y in parts]
    deviation, mean = torch.std_mean(found[0].x, (0, 2), keepdim=True)
    return Windows((found[0].x - mean) / deviation, found[0].y), Windows((found[1].x - mean) / deviation, found[1].y)


def loss(answers: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy, in which what is rare weighs more."""
    return functional.binary_cross_entropy_with_logits(answers[:, 0], y, weight=1 + 0.5 * y)


def f1(answers: Tensor, y: Tensor) -> float:
    said = (answers.detach()[:, 0] > 0).float()
    return float(2 * (said * y).sum() / (said.sum() + y.sum()).clamp(min=1))


def step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Windows) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss(model(batch.x), batch.y).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 0.25)
    optimizer.step()


def search(train: Windows, seed: int, schedule: Sequence[Stage]) -> tuple[Any, nn.Module, int]:
    """Return the values of a program, its model with the weights that it had in the search, and how many trials."""
    rng = torch.Generator().manual_seed(seed)
    weights_part, logits_part = torch.tensor_split(
        torch.randperm(len(train.y), generator=rng), [round(0.6 * len(train.y))]
    )
    epoch = len(weights_part) // BATCH
    descent = Windows(train.x[weights_part], train.y[weights_part]).batches(BATCH, rng)
    held_out = Windows(train.x[logits_part], train.y[logits_part]).batches(len(logits_part) // epoch, rng)

    searcher = DPads(epoch=epoch, schedule=schedule)
    supernet = torch_backend.supernet(programs, WINDOW, seed=seed, share="position")
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
        answers = model(x)
        trial.tell(f1(answers, y), slopes=model.slopes(-loss(answers, y)))
    (values,) = searcher.best()
    return values, branches.build(programs.at(values)), len(trials.trials)


def train_alone(model: nn.Module, train: Windows, valid: Windows, seed: int, epochs: int = 30) -> float:
    """Train on all windows, and return the validation's F1 of the best epoch."""
    batches = train.batches(BATCH, torch.Generator().manual_seed(seed))
    optimizer, scores = torch.optim.Adam(model.parameters(), lr=0.01), list[float]()
    for _ in range(epochs):
        for _ in range(len(train.y) // BATCH):
            step(model, optimizer, next(batches))
        scores.append(f1(model(valid.x), valid.y))
    return max(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="of each stage that prunes; the others have more")
    arguments = parser.parse_args()
    n, (train, valid) = arguments.epochs, load()
    schedule = [
        row for depth in (2, 4) for row in (Stage(depth, n + 3), *[Stage(depth, n, keep=keep) for keep in (4, 3, 2)])
    ]
    print("seed  trials  seconds     F1  program")
    for seed in range(arguments.seeds):
        began = time.process_time()
        values, model, n_trials = search(train, seed, schedule)
        score = train_alone(model, train, valid, seed)
        print(f"{seed:>4}{n_trials:>8}{time.process_time() - began:>9.0f}{score:>7.3f}  {term(values)}", flush=True)


if __name__ == "__main__":
    main()
