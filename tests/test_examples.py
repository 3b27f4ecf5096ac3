"""The examples run as they stand."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.testing.program_tasks import program_task

EXAMPLES = Path(__file__).parents[1] / "examples"


def has_data(*names: str) -> bool:
    """Return whether the folders of data are there that an example reads."""
    folder = os.environ.get("DEEP_ARCH_DATA") or EXAMPLES.parents[1] / "shared" / "data"
    return all((Path(folder) / name).is_dir() for name in names)


@pytest.fixture(scope="module")
def digits() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "digits.py"))


def printed(name: str, *arguments: str, **environment: str) -> list[str]:
    """Run an example in a process of its own, and return the lines that it prints."""
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(EXAMPLES.parent), **environment}
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_first_search_runs() -> None:
    lines = printed("first_search")
    assert "".join(lines).count("%") == 10 and any("parameters" in line for line in lines)


def test_the_symbolic_trainer_prints_its_best_program() -> None:
    lines = printed("symbolic_trainer", "--trials", "3")
    assert lines[0].startswith("static: ") and len(lines) == 6
    assert re.search(r"layers\[0\].*'optimizer(\[(adam|sgd)\]\.lr)?'", lines[1])
    assert re.fullmatch(r"Trainer\(model=Stacked\(.*\), optimizer=(Adam|SGD)\.partial\(lr=.*\)\)", lines[-1])


@pytest.mark.slow
def test_three_spaces_of_one_network_take_few_lines() -> None:
    rows = [line.split() for line in printed("mobilenet_steps", "--trials", "1")[1:]]
    assert [row[:-1] for row in rows] == [
        ["static", "1"],
        ["S1", "11", "1,296"],
        ["S2", "3", "81"],
        ["S3", "1", "104,976"],
    ]
    assert all(20 < float(row[-1].rstrip("%")) <= 100 for row in rows), "better than a guess"


@pytest.mark.parametrize("data", [None, "absent"])
def test_three_flows_search_in_four_to_eight_lines(data: str | None) -> None:
    heading, _, *rows = printed(
        "three_flows", "--runs", "1", "--evaluations", "40", **({} if data is None else {"DEEP_ARCH_DATA": data})
    )
    assert heading.startswith("15,625 cells") and ("made up" in heading or data is None)
    assert [row.split()[0] for row in rows] == ["joint", "separate", "factorised"]
    assert all(4 <= int(row.split()[1]) <= 8 and 10 < float(row.split()[2]) < 75 for row in rows)


@pytest.mark.slow
def test_training_goes_on_in_another_framework(tmp_path: Path) -> None:
    for package in ("keras", "jax", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(EXAMPLES.parent), "KERAS_BACKEND": "jax"}
    command = [sys.executable, str(EXAMPLES / "continue_training.py"), "--output", str(tmp_path / "network.onnx")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first, moved, trained, back, exported = (float(line.split()[-2]) for line in run.stdout.splitlines()[1:])
    assert moved == pytest.approx(first, rel=1e-4) and trained < moved
    assert back == pytest.approx(trained, rel=1e-4) and exported == pytest.approx(trained, rel=1e-4)


def test_every_digit_network_fits_its_images(digits: dict[str, Any]) -> None:
    space: da.SearchSpace = digits["digit_net"]
    for seed in range(50):
        assert space.sample(seed=seed).shapes(digits["IMAGE"])["dense"] == (10,)


def test_digits_are_split_without_overlap(digits: dict[str, Any]) -> None:
    whole = digits["load"]()
    learning, test = whole.split(360)
    training, validation = learning.split(360)
    parts = [training, validation, test]
    assert [len(part.labels) for part in parts] == [1077, 360, 360]
    assert all(part.labels.bincount().min() >= 34 for part in parts), "each digit in each part"
    assert torch.cat([part.images for part in parts]).sum() == pytest.approx(whole.images.sum().item())


def test_digits_searches_tests_and_draws(
    digits: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = digits["main"]
    monkeypatch.setitem(main.__globals__, "SEARCH_EPOCHS", 1)
    monkeypatch.setitem(main.__globals__, "FINAL_EPOCHS", 1)
    monkeypatch.setattr(sys, "argv", ["digits.py", "--trials", "2", "--output", str(tmp_path)])
    n_threads = torch.get_num_threads()
    try:
        main()
    finally:
        torch.set_num_threads(n_threads)
    assert "Test accuracy of trial" in capsys.readouterr().out
    assert {"space.svg", "best.svg", "accuracy.svg", "steps"} <= {path.name for path in tmp_path.iterdir()}


def test_pipelines_searches_tests_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(EXAMPLES / "pipelines.py"))["main"]
    monkeypatch.setattr(
        sys, "argv", ["pipelines.py", "--trials", "2", "--repeats", "1", "--seed", "5", "--output", str(tmp_path)]
    )
    main()
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines() if line.startswith(("deep_arch,", "scikit-learn,"))]
    assert [row[0] for row in rows] == ["deep_arch,", "scikit-learn,"]
    assert all(50 < float(row[3]) < 100 for row in rows), "accuracies on test images"
    assert rows[0][-1] == "1", "a pipeline that cannot be fitted is a failed trial"
    assert "Pipeline(steps=" in shown
    assert {path.name for path in tmp_path.iterdir()} == {"space.svg", "best.svg", "accuracy.svg"}


def test_pipelines_fit_what_each_searches() -> None:
    example = runpy.run_path(str(EXAMPLES / "pipelines.py"))
    space: da.SearchSpace = example["pipelines"]
    for seed in range(100):
        steps = [estimator.get_params() for _, estimator in example["resolve"](space.sample(seed=seed)).steps]
        widths = [step["k"] for step in steps if "k" in step] or [64]
        components = [step["n_components"] for step in steps if "svd_solver" in step]
        assert all(1 <= n <= widths[0] for n in components), "no more components than features"
    assert len(example["flat_space"]()) == 5 * 3 * 3 * 15


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [[], ["torch.distributed.run", "--nproc-per-node", "2", "--standalone"]])
def test_a_rank_that_fails_fails_its_trial_alone(tmp_path: Path, launcher: list[str]) -> None:
    script = [str(EXAMPLES / "distributed_training.py"), "--storage", str(tmp_path / "digits.db")]
    begin = [sys.executable, *(["-m", *launcher] if launcher else []), *script]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(EXAMPLES.parent)}
    for trials, fails in ((3, ["--fail", "1", "--patience", "10"]), (4, [])):  # the second goes on
        command = [*begin, "--trials", str(trials), "--epochs", "2", *fails]
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
    found = da.open_study(tmp_path / "digits.db", "distributed", runpy.run_path(script[0])["net"]).trials
    assert [trial.state for trial in found] == ["complete", "failed", "complete", "complete"]
    assert "Rank 1: " in (found[1].error or "") and "MemoryError: as was asked for" in (found[1].error or "")
    assert all(0.15 < trial.score <= 1 for trial in found if trial.score is not None), "better than a guess"


@pytest.mark.slow
def test_many_workers_share_one_study(tmp_path: Path) -> None:
    storage = str(tmp_path / "digits.db")
    command = [sys.executable, str(EXAMPLES / "many_workers.py"), "--storage", storage, "--trials", "12"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(EXAMPLES.parent)}
    workers = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [worker.communicate()[0].splitlines() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert told[0] == told[1], "both know what all of them found"
    assert sum(map(int, re.findall(r": (\d+)(?:,|$)", told[0][1]))) == 12


@pytest.fixture(scope="module")
def cells() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "recurrent_cells.py"))


def test_recurrent_cells_are_searched_compared_and_drawn(
    cells: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = "--trials 4 --steps 9 --parameters 3000 --seeds 1 --output"
    monkeypatch.setattr(sys, "argv", ["recurrent_cells.py", *small.split(), str(tmp_path)])
    n_threads = torch.get_num_threads()
    try:
        cells["main"]()
    finally:
        torch.set_num_threads(n_threads)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("499,392 cells; of 4 trials") and lines[1].startswith("  node_")
    rows = [line.split() for line in lines[-5:-1]]
    assert [row[0] for row in rows] == ["plain", "GRU", "LSTM", "searched"]
    assert all(2500 < int(row[2].replace(",", "")) <= 3000 for row in rows), "of one size"
    assert all(float(row[4]) > 2 and float(row[7]) > 2 for row in rows), "no cell learns that from nine batches"
    assert {path.name for path in tmp_path.iterdir()} == {"best.svg", "space.svg"}


def test_the_written_gru_is_that_of_the_library(cells: dict[str, Any]) -> None:
    """With the gates in their order, and the reset before the product, as in the paper."""
    units, x = 5, torch.randint(64, (3, 32), generator=torch.manual_seed(0))
    written = torch_backend.build(cells["WRITTEN"]["GRU"].space(units).at({"learning_rate": 0.02}), cells["INPUT"], 0)

    def reader(text: Any) -> Any:
        states = ops.GRU(units, return_sequences=True, reset_after=False)(ops.Embedding(64, 16)(text))
        return ops.Dense(64, name="guess")(states)

    library = torch_backend.build(da.space(reader).at({}), cells["INPUT"], 0)
    weights = torch_backend.get_weights(written)
    (gates, new), (gates_bias, new_bias) = (
        [weights[f"cell.dense{which}.{kind}"] for which in ("", "_1")] for kind in ("kernel", "bias")
    )
    kernel = np.concatenate([-gates[:, :units], gates[:, units:], new], 1)  # theirs closes where ours opens
    bias = np.concatenate([-gates_bias[:units], gates_bias[units:], new_bias])
    own = {"kernel": kernel[:16], "recurrent_kernel": kernel[16:], "bias": bias}
    given = {**weights, **{f"gru.{kind}": weight for kind, weight in own.items()}}
    torch_backend.set_weights(library, {name: given[name] for name in torch_backend.get_weights(library)})
    torch.testing.assert_close(library(x), written(x))


def test_a_searched_cell_can_be_a_gru(cells: dict[str, Any]) -> None:
    """The one whose update gate reads the state after the reset."""
    values = {
        "learning_rate": 0.02,
        "cell/from_2.which": "state",
        "cell/node_2.which": "gated",
        "cell/from_4.which": "node_2",
        "cell/node_4.which": "mixed",
        "cell/node_4[mixed]/f.which": "tanh",
        "cell/out.which": "last",
    }
    found = cells["SEARCHED"].of_size(values, 20_000)
    assert cells["described"](found.values).splitlines() == [
        "  node_2: gated, sigmoid of state",
        "  node_4: mixed, tanh of node_2",
        "  new state: last",
    ]
    assert found.shapes(cells["INPUT"])["zeros"] == (62,)
    assert 19_500 < found.cost(cells["INPUT"]).parameters <= 20_000


def test_weight_sharing_has_six_loops() -> None:
    heading, *rows = [line.split() for line in printed("weight_sharing", "--steps", "8")]
    assert heading == ["loop", "CPU", "s", "MACs", "inherited", "alone"]
    assert [row[0] for row in rows] == ["single_paths", "sandwich", "enas", "tunas", "darts", "gdas"]
    assert all(0 <= float(accuracy.rstrip("%")) <= 100 for row in rows for accuracy in row[-2:])


@pytest.mark.slow
def test_dpads_prints_a_program(tmp_path: Path) -> None:
    heading, row = printed("dpads", "--seeds", "1", "--epochs", "1", DEEP_ARCH_DATA=str(tmp_path))
    seed, trials, _, f1, program = row.split(maxsplit=4)
    assert heading.split()[-1] == "program" and seed == "0"
    assert int(trials) > 4 * (4 + 3 + 4 + 3) and 0 <= float(f1) <= 1
    assert re.fullmatch(r"(Last|Window|Simple)\w+\(.+\)", program)


def test_mice_are_read_without_their_test_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEP_ARCH_DATA", str(tmp_path))
    mice = runpy.run_path(str(EXAMPLES / "mice.py"))
    assert list(mice["load"]().x) == ["train", "valid"], "made up here"
    (tmp_path / "calms21").mkdir()
    rng = np.random.default_rng(0)
    arrays = dict[str, Any]()
    for part, n in {"train": 40, "valid": 20, "test": 30}.items():
        arrays |= {f"X_{part}": rng.normal(3, 2, (n, 13, 18)), f"y_investigation_{part}": rng.integers(2, size=n)}
    np.savez(mice["path"](), **arrays)
    assert {part: given.shape for part, given in mice["load"]().x.items()} == {
        "train": (40, 18, 13),
        "valid": (20, 18, 13),
    }
    loaded = mice["load"](test=True)
    assert list(loaded.x) == list(loaded.y) == ["train", "valid", "test"]
    assert loaded.x["train"].mean((0, 2)) == pytest.approx(0, abs=1e-5), "also where it began at 3"
    assert loaded.x["train"].std((0, 2)) == pytest.approx(1, abs=1e-5)
    assert mice["scores"](np.array([1.0, 2.0, -1.0, -3.0]), np.array([1, 0, 1, 0])) == (0.5, 0.5)


@pytest.mark.slow
def test_searchers_of_programs_are_compared(tmp_path: Path) -> None:
    heading, *rows, best = printed(
        "programs", "calms21", "growth", "random", "--trials", "60", "--test", DEEP_ARCH_DATA=str(tmp_path)
    )
    assert heading.split()[:3] == ["searcher", "seed", "programs"]
    assert [row.split()[:3] for row in rows[:2]] == [["growth", "0", "60"], ["random", "0", "60"]]
    assert re.fullmatch(r"The best program is \w+\(.+\)\.", rows[2])
    assert [line.split()[0] for line in (rows[3], best)] == ["growth", "random"]


@pytest.mark.slow
@pytest.mark.parametrize("order", ["best", "depth"])
def test_near_prints_a_program(tmp_path: Path, order: str) -> None:
    arguments = ("--seeds", "1", "--epochs", "1", "--trials", "60", "--order", order, "--depth", "2")
    heading, row = printed("near", *arguments, DEEP_ARCH_DATA=str(tmp_path))
    seed, relaxed, programs, _, size, loss, f1, program = row.split(maxsplit=7)
    assert heading.split()[-1] == "program" and seed == "0" and int(size) == 1 + program.count("(") + program.count(",")
    assert int(relaxed) >= 4 and int(programs) >= 11 and 0 < float(loss) < 1 and 0 <= float(f1) <= 1
    assert re.fullmatch(r"(Last|Window|Simple)\w+\(.+\)", program)


@pytest.mark.slow
def test_searchers_of_programs_are_compared_in_one_table(tmp_path: Path) -> None:
    names = ["growth", "A*", "enumeration", "genetic", "random"]
    lines = printed("mice_searchers", *names, "--trials", "60", "--test", DEEP_ARCH_DATA=str(tmp_path))
    *programs, empty, heading, r1, r2, r3, r4, r5 = lines
    assert [line.split(",")[0] for line in programs] == names and not empty
    for line in programs:
        assert float(line.partition("the model within ")[2].partition(":")[0]) < 1e-4
    assert heading.split()[:5] == ["searcher", "valid", "F1", "test", "F1"]
    for name, row in zip(names, (r1, r2, r3, r4, r5), strict=True):
        first, f1, _, _, test_f1, _, _, accuracy, *_, n_trials = row.split()
        assert first == name and 0 <= float(f1) <= 1 and 0 <= float(test_f1) <= 1 and 0.4 < float(accuracy) <= 1
        assert 1 <= int(n_trials) <= 60


@pytest.mark.slow
@pytest.mark.skipif(not has_data("cifar10_16px", "nb201"), reason="the table or the images are absent")
def test_nats_bench_is_searched_with_shared_weights() -> None:
    arguments = ("methods", "--seconds", "0.4", "--seeds", "1", "--method", "darts2", "--method", "gdas")
    pool, heading, *rows = [line.split() for line in printed("nats_weight_sharing", *arguments)]
    assert pool[:3] == ["random", "cells:", "test"] and heading[0] == "method"
    assert [(row[0], row[2]) for row in rows] == [("darts2", "1"), ("gdas", "8")]
    assert all(9 < float(row[3]) < 95 for row in rows), "what the table says"


@pytest.mark.slow
@pytest.mark.skipif(not has_data("mnist1d"), reason="the signals are absent")
def test_widths_and_hyperparameters_are_searched_on_signals() -> None:
    lines = printed("mnist1d_searches", "tunas", "autohas", "--seeds", "1", "--steps", "8", "--steps-alone", "8")
    assert lines[0].startswith("TuNAS: target 65,280") and len(lines) == 3 + 1 + 2 + 3


@pytest.mark.slow
def test_motions_are_told_apart_by_folds() -> None:
    heading, *rows = printed("motions", "--trials", "9", DEEP_ARCH_DATA="absent")
    names = [row.split()[0] for row in rows]
    assert heading.startswith("recordings seed") and names == ["whole", "whole:", "ragged", "ragged:"]
    assert all(float(row.split()[-1]) > 0.8 for row in rows[1::2]), "made-up recordings are easy"


@pytest.mark.slow
def test_the_program_of_a_synthetic_task_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)  # where it finds what it imports
    programs = runpy.run_path(str(EXAMPLES / "programs.py"))
    data = programs["synthetic"]("gated speed")
    found = programs["search"](data, programs["METHODS"]["growth"], 150, 0, fold=False)
    (scores,) = programs["tested"]([found], data, "valid")
    assert scores.accuracy > program_task("gated speed").accuracy("valid") - 0.01
    assert da.text(found.best.architecture).startswith("Last4(Multiply(")


@pytest.mark.slow
def test_programs_over_lists_are_found() -> None:
    lists = runpy.run_path(str(EXAMPLES / "list_programs.py"))
    for functions, tasks in {"fixed": lists["FIXED_TASKS"], "lambdas": lists["LOCAL_TASKS"]}.items():
        found = {name: lists["search"](functions, task) for name, task in tasks.items()}
        assert all(result.size for result in found.values()), found
    assert found["rank of each"].term == "(map x (count (< w v)))"
    assert not lists["search"]("fixed", lists["LOCAL_TASKS"]["rank of each"], seconds=0.5).size
