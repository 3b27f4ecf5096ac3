"""Published tables of trained architectures, and the space of cells that two of them measure.

The examples that search them need these files, named by the environment variable DEEP_ARCH_DATA, which is
`../shared/data` seen from the project's root if it is not set:

- `nb201/nb201.npz`: accuracies and times of all 15,625 cells of NAS-Bench-201, the topology space of NATS-Bench,
- `hw_nb201_latency/hw_nb201_latency.npz`: latencies of the same cells on 27 devices,
- `hpobench_mlp/hpobench_mlp.npz`: accuracies of 30,000 multilayer perceptrons on eight tasks.

References:
    Dong and Yang, NAS-Bench-201 (ICLR 2020); Dong, Liu, Musial and Gabrys, NATS-Bench (TPAMI 2021).
    Lee, Lee, Chong and Hwang, HELP (NeurIPS 2021); Li et al., HW-NAS-Bench (ICLR 2021).
    Eggensperger et al., HPOBench (NeurIPS 2021, datasets and benchmarks).
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import deep_arch as da
from deep_arch import ops

T = TypeVar("T")

CHANNELS = 16

OPERATIONS: dict[str, Callable[[], da.Module]] = {  # by their names in the table
    "none": ops.Zero,
    "skip_connect": ops.Identity,
    "nor_conv_1x1": lambda: ops.Conv2D(CHANNELS, kernel_size=1),
    "nor_conv_3x3": lambda: ops.Conv2D(CHANNELS, kernel_size=3),
    "avg_pool_3x3": lambda: ops.AveragePooling2D(pool_size=3, strides=1),
}

EDGES = ("edge_1_0", "edge_2_0", "edge_2_1", "edge_3_0", "edge_3_1", "edge_3_2")
"""The table's columns: `edge_2_1` leads to node 2, from node 1."""


@da.space
def cell(image: Any) -> Any:
    """Sum at each of three nodes what one operation each makes of every node before it."""
    nodes = [image]
    for node in (1, 2, 3):
        incoming = [
            da.or_(OPERATIONS, da.choice(OPERATIONS, name=f"edge_{node}_{source}"))(value)
            for source, value in enumerate(nodes)
        ]
        nodes.append(ops.Add()(*incoming) if node > 1 else incoming[0])
    return nodes[-1]


_operations_of: Callable[[Mapping[str, Any]], tuple[str, ...]] = operator.itemgetter(*EDGES)


def row_of(values: Mapping[str, Any]) -> int:
    """Return the table's row for the values of a cell."""
    return _rows()[_operations_of(values)]


@functools.cache
def _rows() -> dict[tuple[str, ...], int]:
    table = load("nb201")
    names = [str(name) for name in table["ops"]]
    return {tuple([names[op] for op in ops]): row for row, ops in enumerate(table["edge_ops"].tolist())}


# --- files -----------------------------------------------------------------------------------------------------------


def path_of(name: str) -> Path:
    """Return where the file of a table is expected."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("DEEP_ARCH_DATA") or root.parent / "shared" / "data")
    return folder / name / f"{name}.npz"


@functools.cache
def load(name: str) -> Mapping[str, Any]:
    """Return the arrays of a table.

    Raises:
        FileNotFoundError: the table is not there.
    """
    path = path_of(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{name}: expected its table at {path}.\n  Got no such file.\n"
            "  Set the environment variable DEEP_ARCH_DATA to the folder that holds "
            f"{name}/{name}.npz; the head of {Path(__file__).name} says what it is."
        )
    with np.load(path) as arrays:
        return dict(arrays)


# --- repeated runs ---------------------------------------------------------------------------------------------------


def run_all(run: Callable[[int], T], n_runs: int, workers: int) -> list[T]:
    """Return what `run` gives for each of the seeds 0 to `n_runs` - 1, spread over processes."""
    if workers == 1:
        return list(map(run, range(n_runs)))
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(run, range(n_runs), chunksize=max(1, n_runs // (10 * workers))))
