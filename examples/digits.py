"""Search convolutional networks for handwritten digits, and draw what happened; about two minutes on one core.

    python examples/digits.py --trials 20 --output demo --seed 0

Every trial trains a network on scikit-learn's 1,797 images of 8 x 8 pixels. The best one, by accuracy on validation
images, is trained anew for longer on training and validation images together, and only then meets the test images.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.searchers import RandomSearch
from deep_arch.studies.search import Search
from deep_arch.visualization import render_steps
from deep_arch.visualization.plots import plot_scores

IMAGE = da.image(channels=1, height=8, width=8)
BATCH_SIZE = 64
SEARCH_EPOCHS, FINAL_EPOCHS = 10, 40


# --- the search space ------------------------------------------------------------------------------------------------


@da.space
def digit_net(image: Any) -> Any:
    """Stack two stages of blocks, the second on half the resolution with twice the width."""
    width = da.choice([16, 24, 32], name="width")
    depth = da.integer(1, 3, name="depth")
    normalization = da.choice(["batch", "group"], name="normalization")  # decided once for all blocks
    activation = da.choice(["relu", "silu"], name="activation")
    da.config(learning_rate=da.real(2e-3, 2e-2, log=True), label_smoothing=da.choice([0.0, 0.1]))

    def block(filters: Any) -> da.Module:
        convolution = {  # decided for each block
            "3x3": lambda: ops.Conv2D(filters, kernel_size=3),
            "5x5": lambda: ops.Conv2D(filters, kernel_size=5),
            "separable": lambda: ops.SeparableConv2D(filters, kernel_size=3),
        }
        normalize = {
            "batch": lambda: ops.BatchNormalization(momentum=0.9),  # its averages must settle within few steps
            "group": lambda: ops.GroupNormalization(groups=8),
        }
        activate = {"relu": ops.ReLU, "silu": ops.SiLU}
        return da.sequential(
            da.or_(convolution, name="convolution"),
            da.or_(normalize, normalization, name="normalize"),
            da.or_(activate, activation, name="activate"),
        )

    def stage(filters: Any, name: str) -> da.Module:
        kinds = {"plain": lambda: block(filters), "residual": lambda: da.residual(lambda: block(filters))}

        def more() -> da.Module:
            return da.repeat(lambda: da.or_(kinds, name="block"), depth)

        return da.sequential(lambda: block(filters), more, name=name)

    shrink = {
        "max": lambda: ops.MaxPooling2D(pool_size=2),
        "average": lambda: ops.AveragePooling2D(pool_size=2),
        "stride": lambda: ops.Conv2D(width, kernel_size=3, strides=2),
    }
    x = stage(width, name="stage_1")(image)
    x = da.or_(shrink, name="shrink")(x)
    x = stage(2 * width, name="stage_2")(x)
    x = ops.GlobalAveragePooling2D()(x)
    x = da.optional(lambda: ops.Dropout(rate=da.choice([0.2, 0.4])))(x)
    return ops.Dense(units=10)(x)


# --- the data --------------------------------------------------------------------------------------------------------


class Examples(NamedTuple):
    """Images, (examples, 1, 8, 8) from 0 to 1, and the digits that they show."""

    images: torch.Tensor
    labels: torch.Tensor

    def split(self, size: int) -> tuple[Examples, Examples]:
        """Return all but `size` examples, and these; both hold each digit equally often."""
        rest, part = train_test_split(range(len(self.labels)), test_size=size, stratify=self.labels, random_state=0)
        return self.at(rest), self.at(part)

    def at(self, positions: Any) -> Examples:
        """Return the examples at some positions."""
        return Examples(self.images[positions], self.labels[positions])


def load() -> Examples:
    """Return all 1,797 examples."""
    pixels, labels = load_digits(return_X_y=True)
    return Examples(torch.tensor(pixels / 16, dtype=torch.float32).reshape(-1, 1, 8, 8), torch.tensor(labels))


# --- training --------------------------------------------------------------------------------------------------------


def train(model: nn.Module, examples: Examples, config: Mapping[str, Any], epochs: int, seed: int) -> None:
    """Train a model, with the learning rate rising to the configured one and falling to nothing."""
    torch.manual_seed(seed)
    loss = nn.CrossEntropyLoss(label_smoothing=config["label_smoothing"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["learning_rate"])
    n_steps = epochs * -(-len(examples.labels) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=config["learning_rate"], total_steps=n_steps)
    model.train()
    for _ in range(epochs):
        for positions in torch.split(torch.randperm(len(examples.labels)), BATCH_SIZE):
            images, labels = examples.at(positions)
            optimizer.zero_grad()
            loss(model(images), labels).backward()
            optimizer.step()
            schedule.step()


def accuracy(model: nn.Module, examples: Examples) -> float:
    """Return the share of the images that a model reads right."""
    model.eval()
    with torch.inference_mode():
        return float((model(examples.images).argmax(dim=1) == examples.labels).float().mean())


def evaluate(architecture: da.Architecture, known: Examples, unknown: Examples, epochs: int, seed: int) -> float:
    """Return the accuracy on unknown examples after training on known ones."""
    model = torch_backend.build(architecture, inputs=IMAGE, seed=seed)
    train(model, known, architecture.config, epochs, seed)
    return accuracy(model, unknown)


# --- the search ------------------------------------------------------------------------------------------------------


def run_search(n_trials: int, training: Examples, validation: Examples, seed: int, console: Console) -> Search:
    """Search, and show a bar that grows and a row for each trial."""
    search = da.search(digit_net, RandomSearch(), trials=n_trials, seed=seed)
    columns = (TextColumn("searching"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console.print("trial  accuracy  parameters       MACs  width  depth  normalization", style="bold")
    with Progress(*columns, console=console) as progress:
        for trial in progress.track(search, total=n_trials):
            with trial:  # an architecture that cannot be trained is a failed trial, and the search goes on
                trial.tell(evaluate(trial.architecture, training, validation, SEARCH_EPOCHS, seed))
            console.print(row(trial), highlight=False)
    return search


def row(trial: da.Trial) -> str:
    """Return the line of the table for one trial."""
    score = trial.state if trial.score is None else f"{trial.score:.1%}"
    cost = trial.architecture.cost(IMAGE)
    chosen = f"{trial.values['width']:>7}{trial.values['depth']:>7}  {trial.values['normalization']}"
    return f"{trial.number:>5}{score:>10}{cost.parameters:>12,}{cost.macs:>11,}{chosen}"


def draw(search: Search, folder: Path) -> None:
    """Draw the best architecture, how it came to be, and the accuracy over the trials."""
    best = search.best.architecture
    best.render(folder / "best.svg", inputs=IMAGE)
    render_steps(best, folder / "steps")
    plot_scores(search.trials, folder / "accuracy.svg")


def main() -> None:
    """Search, train the best architecture for longer, test it, and draw all of it."""
    parser = argparse.ArgumentParser(description="Search convolutional networks for handwritten digits.")
    parser.add_argument("--trials", type=int, default=20, help="how many networks to train (20)")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="the folder for pictures (demo)")
    parser.add_argument("--seed", type=int, default=0, help="what all randomness comes from (0)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # layers this small gain nothing from more, and sums keep their order
    console = Console()

    arguments.output.mkdir(parents=True, exist_ok=True)
    digit_net.render(arguments.output / "space.svg")
    learning, test = load().split(360)
    training, validation = learning.split(360)
    search = run_search(arguments.trials, training, validation, arguments.seed, console)
    draw(search, arguments.output)

    best = search.best.architecture
    with console.status(f"training trial {search.best.number} for longer"):
        tested = evaluate(best, learning, test, FINAL_EPOCHS, arguments.seed)
    print(best.summary(IMAGE))
    print(f"\nTest accuracy of trial {search.best.number}: {tested:.2%}")
    print(f"Pictures are in {arguments.output}/: space.svg, steps/, best.svg, accuracy.svg")


if __name__ == "__main__":
    main()
