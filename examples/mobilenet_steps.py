"""From a static MobileNet-like program to three search spaces of it, step by step; in half a minute.

    python examples/mobilenet_steps.py --trials 4 --seed 0

Every line that a step adds to the static program, or changes in it, ends with the step's name; `main` counts them.

- S1: the kernel and the expansion of each bottleneck,
- S2: its filters,
- S3: all three.

References:
    Sandler, Howard, Zhu, Zhmoginov and Chen, MobileNetV2: inverted residuals and linear bottlenecks (CVPR 2018).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits

import deep_arch as da  # S1
from deep_arch.searchers import RandomSearch  # S1

nn = da.symbolize(torch.nn)  # S1


@da.symbolize  # S1
class Bottleneck(torch.nn.Module):
    """Widen the channels, convolve each alone, and narrow them again; here the width goes by what comes out."""

    def __init__(self, filters: int, kernel: int, expansion: int, stride: int = 1) -> None:
        super().__init__()
        hidden = expansion * filters
        self.layers = nn.Sequential(
            nn.LazyConv2d(hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, filters, 1, bias=False),
            nn.BatchNorm2d(filters),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return x + y if x.shape == y.shape else y


blocks = [
    Bottleneck(filters=8, kernel=3, expansion=4, stride=2),
    Bottleneck(filters=8, kernel=3, expansion=4),
    Bottleneck(filters=16, kernel=3, expansion=4),
    Bottleneck(filters=16, kernel=3, expansion=4),
]
head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(10)]
static: Any = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *blocks, *head)


def accuracy(model: torch.nn.Module, n_epochs: int = 3) -> float:
    """Train on the first 1,200 digits, and return the share of the others that come out right."""
    images, labels = map(torch.tensor, load_digits(return_X_y=True))
    images = images.float().reshape(-1, 1, 8, 8) / 16
    model(images[:2])  # lazy layers see their inputs
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(24 * n_epochs):
        rows = torch.arange(50) + 50 * (step % 24)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        return float((model.eval()(images[1200:]).argmax(1) == labels[1200:]).float().mean())


def kernels_and_expansions(path: str, value: Any, _parent: Any) -> Any:  # S1
    options = {"kernel": [3, 5], "expansion": [2, 4, 6]}.get(path.rpartition(".")[2])  # S1
    return da.choice(options) if options else value  # S1


def filters(path: str, value: Any, _parent: Any) -> Any:  # S2
    return da.choice([value // 2, value, value * 2]) if path.endswith(".filters") else value  # S2


S1 = da.rebind(static, kernels_and_expansions)  # S1
S2 = da.rebind(static, filters)  # S2
S3 = da.rebind(S1, filters)  # S3


def best(program: Any, n_trials: int, seed: int) -> float:
    """Return the best accuracy that a search finds."""
    search = da.search(program, RandomSearch(), trials=n_trials, seed=seed)  # S1
    for trial in search:  # S1
        trial.tell(accuracy(da.build(trial)))  # S1
    return float(search.best.scores[0])


def added(step: str) -> int:
    """Return how many lines of this file a step adds or changes."""
    return sum(line.endswith(f"  # {step}") for line in Path(__file__).read_text(encoding="utf-8").splitlines())


def main() -> None:
    """Train the static program, and search the three spaces."""
    parser = argparse.ArgumentParser(description="Search a MobileNet-like program in three spaces.")
    parser.add_argument("--trials", type=int, default=4, help="how many networks each search trains (4)")
    parser.add_argument("--seed", type=int, default=0, help="what all randomness comes from (0)")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)

    print(f"{'space':<8}{'lines added':>12}{'programs':>10}{'accuracy':>10}")
    print(f"{'static':<8}{'':>12}{1:>10}{accuracy(da.build(static)):>10.1%}")
    for name, program in {"S1": S1, "S2": S2, "S3": S3}.items():
        score = best(program, arguments.trials, arguments.seed)
        print(f"{name:<8}{added(name):>12}{da.space(program).size():>10,}{score:>10.1%}")


if __name__ == "__main__":
    main()
