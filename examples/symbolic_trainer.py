"""Search a training program as it stands: a model, and two optimizers with arguments of their own; in some seconds.

    python examples/symbolic_trainer.py --trials 10 --seed 0

Nothing here is written for a search but the words `da.symbolize` and `da.choice`: the classes are those of PyTorch and
of this file, and the static program is trained first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

import torch
from sklearn.datasets import load_digits

import deep_arch as da
from deep_arch.searchers import RegularizedEvolution

nn, optim = da.symbolize(torch.nn), da.symbolize(torch.optim)
images, labels = map(torch.tensor, load_digits(return_X_y=True))
images = images.float().reshape(-1, 1, 8, 8) / 16


@da.symbolize
class Stacked(torch.nn.Module):
    """The same kind of layer several times, and a classifier on what comes out."""

    def __init__(self, layers: Iterable[torch.nn.Module]) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(*layers)
        self.classify = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(10))

    def forward(self, x: torch.Tensor) -> Any:
        return self.classify(self.layers(x))


@da.symbolize
class Trainer:
    """What trains a model on 600 digits, and tests it on the others."""

    def __init__(self, model: Any, optimizer: Callable[..., torch.optim.Optimizer], epochs: int = 20) -> None:
        self.model, self.epochs = model, epochs
        self.model(images[:1])  # lazy layers see how many features there are
        self.optimizer = optimizer(model.parameters())

    def train(self) -> float:
        """Return the share of the other digits that come out right."""
        for _ in range(self.epochs):
            self.optimizer.zero_grad()
            torch.nn.functional.cross_entropy(self.model(images[:600]), labels[:600]).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        with torch.no_grad():
            return float((self.model(images[600:]).argmax(1) == labels[600:]).float().mean())


static: Any = Trainer(Stacked([nn.LazyConv2d(8, 3, padding="same"), nn.ReLU()]), optim.Adam.partial(lr=2e-2))


def layer() -> Any:
    """Return a choice of its own: one that stands in two places is one layer in both."""
    conv = nn.LazyConv2d(da.choice([8, 16, 32]), kernel_size=da.choice([3, 5]), padding="same")
    return da.choice([nn.Identity(), nn.MaxPool2d(3, stride=1), conv])


searched: Any = static.rebind(
    {
        "model.layers": [layer(), nn.ReLU(), layer()],
        "optimizer": da.choice(
            {
                "adam": optim.Adam.partial(lr=da.choice([5e-3, 2e-2])),
                "sgd": optim.SGD.partial(lr=da.real(1e-2, 0.3, log=True), momentum=da.choice([0.0, 0.9])),
            }
        ),
    }
)


def main() -> None:
    """Train the static program, search the other, and print the best program as code."""
    parser = argparse.ArgumentParser(description="Search a training program.")
    parser.add_argument("--trials", type=int, default=10, help="how many programs are trained (10)")
    parser.add_argument("--seed", type=int, default=0, help="what all randomness comes from (0)")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)

    print(f"static: {da.build(static).train():.1%}")
    search = da.search(searched, RegularizedEvolution(population=5, sample=2), arguments.trials, arguments.seed)
    for trial in search:
        trial.tell(da.build(trial).train())
        print(f"{trial.score:.1%}  {dict(trial.values)}")
    print(f"The best program, {search.best.score:.1%}:\n{da.resolve(search.best)}")


if __name__ == "__main__":
    main()
