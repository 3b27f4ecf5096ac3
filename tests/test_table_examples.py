"""The examples on published tables: their arithmetic on small tables, and small runs on the real ones."""

from __future__ import annotations

import importlib
import itertools
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import deep_arch as da
from deep_arch.backends import torch_backend

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("benchmark_tables", "nats_bench", "accuracy_and_latency", "mlp_tables")


@pytest.fixture(scope="module", autouse=True)
def folder_of_examples() -> Iterator[None]:
    """Import the examples as they import one another when run, from their folder."""
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))
    for name in NAMES:
        sys.modules.pop(name, None)


def example(name: str, *needs: str) -> Any:
    """Return an example's module; skip where a table that it needs is absent."""
    tables = importlib.import_module("benchmark_tables")
    for table in needs:
        if not (path := tables.path_of(table)).is_file():
            pytest.skip(f"needs {path}")
    return importlib.import_module(name)


def printed(module: Any, arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the words of each line that a run of an example prints after its head."""
    monkeypatch.setattr(sys, "argv", ["example.py", *arguments.split(), "--workers", "1"])
    module.main()
    return [line.split() for line in capsys.readouterr().out.splitlines()[1:]]


# --- the tables ------------------------------------------------------------------------------------------------------


def test_every_cell_has_its_row() -> None:
    tables = example("benchmark_tables", "nb201")
    assert tables.cell.size() == len(tables.load("nb201")["edge_ops"]) == 15_625
    cells = [dict(zip(tables.EDGES, chosen, strict=True)) for chosen in itertools.product(tables.OPERATIONS, repeat=6)]
    assert {tables.row_of(values) for values in cells} == set(range(15_625))
    for values in cells[::500]:
        assert tables.cell.at(values).values == values


def test_the_residual_cell_has_its_published_row() -> None:
    tables = example("benchmark_tables", "nb201")
    convolution, skip = "nor_conv_3x3", "skip_connect"
    operations = [convolution, "none", convolution, skip, "none", skip]
    row = tables.row_of(dict(zip(tables.EDGES, operations, strict=True)))
    assert row == 11_472
    table = tables.load("nb201")
    assert [float(table[f"test200_{name}"][row]) for name in ("cifar10", "cifar100", "imagenet16_120")] == [
        pytest.approx(accuracy, abs=0.005) for accuracy in (93.91, 70.89, 44.23)
    ]


def test_every_operation_of_a_cell_can_be_built() -> None:
    tables = example("benchmark_tables")
    for operation in tables.OPERATIONS:
        model = torch_backend.build(tables.cell.at(dict.fromkeys(tables.EDGES, operation)), da.image(16, 8, 8), seed=0)
        assert model(torch.ones(2, 16, 8, 8)).shape == (2, 16, 8, 8)


def test_a_missing_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = example("benchmark_tables")
    monkeypatch.setenv("DEEP_ARCH_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"nowhere: expected its table at .*\n.*\n.*DEEP_ARCH_DATA"):
        tables.load("nowhere")


# --- the protocol of NATS-Bench --------------------------------------------------------------------------------------


def test_accuracy_at_the_budget_is_on_the_line_through_the_nearest_incumbents() -> None:
    nats = example("nats_bench")
    accuracies = [10.0, 20.0, 40.0]
    found = [nats.Incumbent(50, 0), nats.Incumbent(90, 1), nats.Incumbent(110, 2)]
    assert nats.at_budget(found, accuracies, 100) == 30
    assert nats.at_budget(found, accuracies, 95) == 25
    before = [nats.Incumbent(80, 0), nats.Incumbent(90, 1), nats.Incumbent(130, 2)]
    assert nats.at_budget(before, accuracies, 100) == 30, "the nearest two may both lie before the budget"


def test_the_proposal_that_crosses_the_budget_counts_and_repeats_cost_again(monkeypatch: pytest.MonkeyPatch) -> None:
    nats = example("nats_bench")
    rewards = {"none": 3.0, "skip_connect": 5.0}
    monkeypatch.setattr(nats, "row_of", lambda values: list(rewards).index(values["edge_1_0"]))
    edges = dict.fromkeys(nats.EDGES, "none")
    proposals = [edges, edges, {**edges, "edge_1_0": "skip_connect"}, edges]

    class Given(da.Searcher):
        def start(self, space: Any, rng: Any) -> None:
            super().start(space, rng)
            self.scores = list[float]()

        def ask(self) -> Any:
            return proposals[len(self.scores)]

        def tell(self, trial: da.FinishedTrial) -> None:
            self.scores.append(trial.gains[0])

    data = nats.Benchmark(100.0, [40.0, 30.0], list(rewards.values()), [1.0, 2.0], [7.0, 9.0])
    searcher = Given()
    assert nats.incumbents(searcher, data, seed=0) == [(40.0, 0), (80.0, 0), (110.0, 1)]
    assert searcher.scores == [3, 3, 5]


def test_mutation_picks_a_node_before_an_edge() -> None:
    nats = example("nats_bench")
    values = dict.fromkeys(nats.EDGES, "none")
    rng, changes = random.Random(0), dict.fromkeys(nats.EDGES, 0)
    for _ in range(3000):
        child = nats.change_one_edge(nats.cell, values, rng)
        (edge,) = [edge for edge in nats.EDGES if child[edge] != "none"]
        changes[edge] += 1
        assert nats.cell.at(child)
    # By hand: each node with 1/3, and its one, two or three edges alike; 100 is 4 standard deviations of 1000.
    expected = {1: 1000, 2: 500, 3: 333}
    assert all(abs(n - expected[int(edge[5])]) < 100 for edge, n in changes.items())


def test_nats_bench_prints_results_beside_published_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nats = example("nats_bench", "nb201")
    rows = printed(nats, "--runs 4 --searchers random,evolution --datasets cifar10,cifar100", monkeypatch, capsys)
    assert [row[:2] for row in rows] == [
        [name, kind] for name in ("cifar10", "cifar100") for kind in ("random", "evolution")
    ]
    for _, _, _, _, _, test, _, _, published, _, _ in rows:
        assert float(test) == pytest.approx(float(published), abs=2.5), "5 standard deviations of a mean of 4"


def test_costs_have_the_published_means() -> None:
    nats = example("nats_bench", "nb201")
    means = [sum(nats.benchmark(name).costs_s) / 15_625 for name in nats.DATASETS]
    assert means == [pytest.approx(mean, abs=0.05) for mean in (112.8, 220.0, 665.9)]


# --- accuracy and latency --------------------------------------------------------------------------------------------


def test_the_share_of_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    example("accuracy_and_latency")
    fronts = importlib.import_module("accuracy_and_latency")
    monkeypatch.setattr(fronts, "points", lambda _: [(0.0, -4.0), (2.0, -1.0), (4.0, -3.0), (1.0, -3.5)])
    fronts.true_front.cache_clear()
    assert fronts.front([0, 2, 3, 1, 1], "device") == [2, 1]
    # From accuracy 0 and latency 4, the two cells of the front dominate 2 x 3 and 4 x 1, of which 2 x 1 together.
    assert fronts.share([1, 2, 3], "device", 0.0) == 1
    assert fronts.share([2, 0], "device", 0.0) == 4 / 8
    fronts.true_front.cache_clear()


def test_accuracy_and_latency_prints_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fronts = example("accuracy_and_latency", "nb201", "hw_nb201_latency")
    path = tmp_path / "fronts.svg"
    arguments = f"--runs 2 --trials 60 --searchers random,nsga2 --devices fpga --output {path}"
    rows = printed(fronts, arguments, monkeypatch, capsys)
    shares = [[float(share.rstrip("%")) for share in row[2:]] for row in rows[:2]]
    assert all(30 < strict < whole < 100 for whole, strict in shares)
    assert "<svg" in path.read_text()


# --- multilayer perceptrons ------------------------------------------------------------------------------------------


def test_the_space_of_perceptrons_is_the_tables_grid() -> None:
    perceptrons = example("mlp_tables", "hpobench_mlp")
    table = importlib.import_module("benchmark_tables").load("hpobench_mlp")
    assert list(perceptrons.GRID) == table["param_names"].tolist()
    for name, grid in perceptrons.GRID.items():
        assert grid == pytest.approx(table[f"space_{name}"].tolist(), rel=1e-6)
    for row in range(0, 30_000, 997):
        positions = dict(zip(perceptrons.GRID, table["index"][row].tolist(), strict=True))
        expected = 100 * table["val_acc_car"][row].mean(dtype=float)
        assert perceptrons.accuracy("car", positions) == pytest.approx(expected)


def test_a_perceptron_is_built_from_positions() -> None:
    space: da.SearchSpace = example("mlp_tables").mlp
    positions = {"alpha": 9, "batch_size": 0, "depth": 2, "learning_rate_init": 0, "width": 1}
    architecture = space.at(json.loads(json.dumps(positions)))
    assert architecture.config == pytest.approx({"alpha": 1.0, "batch_size": 4, "learning_rate_init": 1e-5})
    assert architecture.cost(da.vector(10)).parameters == (10 + 1) * 25 + 2 * (25 + 1) * 25
    assert space.size() == 30_000


def test_mlp_tables_prints_regrets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    perceptrons = example("mlp_tables", "hpobench_mlp")
    rows = printed(
        perceptrons, "--runs 2 --trials 30 --searchers random,evolution --tasks car,kc1", monkeypatch, capsys
    )
    assert [row[0] for row in rows] == ["tpe", "random", "evolution"]
    assert all(0 <= float(regret) < 5 for row in rows for regret in row[1:3])
    assert rows[0][3:] == ["0", "of", "2"], "nothing is ahead of itself"
