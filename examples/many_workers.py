"""Search with many workers: this script, started as often as you like, on one machine or many.

    python examples/many_workers.py --storage digits.db &
    python examples/many_workers.py --storage digits.db &
    wait

Each copy takes trials of one study until there are 30, and its searcher knows what all of them found. Copies may come
and go; where one is killed, another takes its trial over. An SQLite file serves the processes of one machine, and
postgresql://user@host/database those of many. Networks for scikit-learn's digits, some seconds a worker; needs the
extras torch and demo.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.searchers import RegularizedEvolution


def block() -> da.Module:
    return da.sequential(
        lambda: ops.Dense(da.choice([16, 32, 64])), ops.LayerNormalization, da.or_([ops.ReLU, ops.SiLU])
    )


@da.space
def net(pixels: Any) -> Any:
    """Stack one to three layers, and read the digit off."""
    da.config(learning_rate=da.real(1e-3, 3e-2, log=True))
    return ops.Dense(10)(da.repeat(block, da.integer(1, 3))(pixels))


def train_and_score(trial: da.Trial) -> float:
    """Train on the first 1,200 images, and return the share of the others that come out right."""
    images, labels = map(torch.tensor, load_digits(return_X_y=True))
    images = images.float() / 16
    model = torch_backend.build(trial.architecture, da.vector(64), seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=trial.config["learning_rate"])
    accuracy = 0.0
    for epoch in range(5):
        for batch, wanted in zip(images[:1200].split(60), labels[:1200].split(60), strict=True):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            F.cross_entropy(model(batch), wanted).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.inference_mode():
            accuracy = float((model(images[1200:]).argmax(1) == labels[1200:]).float().mean())
        trial.report(accuracy, step=epoch)
    return accuracy


def main() -> None:
    """Be one of the workers, and tell who did what."""
    parser = argparse.ArgumentParser(description="Be one of many workers of a search.")
    parser.add_argument("--storage", default="digits.db", help="an SQLite file, or the URL of a database (digits.db)")
    parser.add_argument("--trials", type=int, default=30, help="how many networks to train in all (30)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    study = da.Study(net, RegularizedEvolution(population=10, sample=3), arguments.storage, name="digits", seed=0)
    study.run(train_and_score, trials=arguments.trials)
    shares = Counter(trial.worker for trial in study.trials)
    print(f"best: {study.best.score:.1%} in trial {study.best.number}, by {study.best.worker}")
    print("trials of each worker:", ", ".join(f"{worker}: {n}" for worker, n in sorted(shares.items(), key=str)))


if __name__ == "__main__":
    main()
