"""Search networks whose training runs in several processes: data-parallel, with torch.distributed.

    python examples/distributed_training.py --storage digits.db                        # begins two processes itself
    torchrun --nproc-per-node 2 examples/distributed_training.py --storage digits.db   # as on a cluster

Rank 0 holds the study. It sends each architecture to the others as text, all train it together on their shares of the
images, and rank 0 tells the accuracy. Where a rank raises, the trial has failed, and the search goes on; `--fail 2
--patience 5` lets one raise in trial 2, to see that. Where a rank is killed, all end: start the script again, or let
`torchrun --max-restarts 3` do so, and the search goes on with the trial that was cut short.

About ten seconds with scikit-learn's 1,797 images of digits, on one core or two. Needs the extras torch and demo.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from datetime import timedelta
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import distributed
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.searchers import RegularizedEvolution

BATCH_SIZE = 120
"""Of all ranks together."""

MOST_IDLE = timedelta(days=1)
"""So long ranks wait for the next trial."""


def block() -> da.Module:
    return da.sequential(
        lambda: ops.Dense(da.choice([16, 32, 64])), ops.LayerNormalization, da.or_([ops.ReLU, ops.SiLU])
    )


@da.space
def net(pixels: Any) -> Any:
    """Stack one to three layers, and read the digit off."""
    da.config(learning_rate=da.real(1e-3, 3e-2, log=True))
    return ops.Dense(10)(da.repeat(block, da.integer(1, 3))(pixels))


# --- one training, in every rank -------------------------------------------------------------------------------------


def train_and_score(architecture: da.Architecture, group: Any, epochs: int) -> float:
    """Train with the other ranks of a group, and return the accuracy on images that none of them learned from."""
    rank, n_ranks = distributed.get_rank(group), distributed.get_world_size(group)
    images, labels = map(torch.tensor, load_digits(return_X_y=True))
    images = images.float() / 16
    mine, mine_too = slice(rank, 1200, n_ranks), slice(1200 + rank, None, n_ranks)
    model = DistributedDataParallel(torch_backend.build(architecture, da.vector(64), seed=0), process_group=group)
    optimizer = torch.optim.AdamW(model.parameters(), lr=architecture.config["learning_rate"])
    loss = torch.nn.CrossEntropyLoss()
    batches = list(zip(*[torch.split(part[mine], BATCH_SIZE // n_ranks) for part in (images, labels)], strict=True))
    for _ in range(epochs):
        for batch, wanted in batches:
            optimizer.zero_grad()
            loss(model(batch), wanted).backward()
            optimizer.step()
    with torch.inference_mode():
        right = (model(images[mine_too]).argmax(1) == labels[mine_too]).sum()
    distributed.all_reduce(right, group=group)
    return float(right) / (len(labels) - 1200)


def attempt(text: str, epochs: int, patience_s: float, fails: bool) -> float:
    """Train the architecture of a text in all ranks; called by all of them.

    Each training has a group of its own. Where a rank raises, the others wait for its gradients, as long as they have
    patience, and raise too; then all tell one another what happened in the group of the search, which stays as it was.

    Raises:
        RuntimeError: a rank raised.
    """
    group: Any = distributed.new_group(timeout=timedelta(seconds=patience_s))
    score, error = 0.0, None
    try:
        if fails and distributed.get_rank() == distributed.get_world_size() - 1:
            raise MemoryError("as was asked for with --fail")
        score = train_and_score(da.Architecture.from_json(text, net), group, epochs)
    except Exception:
        error = traceback.format_exc()
    errors: list[str | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(errors, error)
    distributed.destroy_process_group(group)
    if any(errors):
        raise RuntimeError("\n".join(f"Rank {rank}: {text}" for rank, text in enumerate(errors) if text))
    return score


# --- the search, in rank 0, and those that follow --------------------------------------------------------------------


def send(message: Any = None) -> Any:
    """Send a message from rank 0 to all, who call this too, and return it."""
    messages = [message]
    distributed.broadcast_object_list(messages, src=0)
    return messages[0]


def lead(arguments: argparse.Namespace) -> None:
    """Run the study."""

    def objective(trial: da.Trial) -> float:
        fails = trial.number == arguments.fail
        return attempt(*send((trial.architecture.to_json(), arguments.epochs, arguments.patience, fails)))

    searcher = RegularizedEvolution(population=6, sample=3)
    study = da.Study(net, searcher, arguments.storage, name="distributed", seed=0)
    try:
        study.run(objective, trials=arguments.trials, progress=False, callbacks=[report])
    finally:
        send(None)
    print(f"best: {study.best.score:.1%} in trial {study.best.number}; {study.counts}")


def report(study: da.Study, trial: da.Trial) -> None:
    """Print what came of a trial."""
    came = (
        f"{trial.score:.1%}"
        if trial.score is not None
        else f"{trial.state}: {(trial.error or '').strip().splitlines()[-1]}"
    )
    print(f"trial {trial.number}: {came}", flush=True)


def follow() -> None:
    """Train with rank 0 until it is done."""
    while (message := send()) is not None:
        try:
            attempt(*message)
        except RuntimeError:  # which rank 0 keeps with the trial
            continue


def work(rank: int, n_ranks: int, init: str, arguments: argparse.Namespace) -> None:
    """Be one of the processes."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=init, rank=rank, world_size=n_ranks, timeout=MOST_IDLE)
    try:
        lead(arguments) if rank == 0 else follow()
    finally:
        distributed.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)  # a thread of gloo that a failed training left behind would abort Python where it ends in order


def main() -> None:
    """Be a rank, where torchrun says which, or begin some."""
    parser = argparse.ArgumentParser(description="Search networks with data-parallel training.")
    parser.add_argument("--storage", default="digits.db", help="an SQLite file, or the URL of a database (digits.db)")
    parser.add_argument("--trials", type=int, default=12, help="how many networks to train in all (12)")
    parser.add_argument("--epochs", type=int, default=10, help="for how long to train each (10)")
    parser.add_argument("--ranks", type=int, default=2, help="how many processes, where torchrun does not say (2)")
    parser.add_argument("--patience", type=float, default=60, help="seconds that ranks wait for one another (60)")
    parser.add_argument("--fail", type=int, help="a trial in which the last rank raises")
    arguments = parser.parse_args()
    if "RANK" in os.environ:
        work(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), "env://", arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        spawn(work, (arguments.ranks, f"file://{folder}/ranks", arguments), arguments.ranks)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
