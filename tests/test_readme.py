"""What the README shows is run, and the values in its comments are compared."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def shown_values(code: str) -> list[tuple[str, Any]]:
    """Return the lines that are an expression with its value as the comment."""
    pairs: list[tuple[str, Any]] = []
    for line in code.splitlines():
        expression, _, comment = line.partition("  # ")
        try:
            value = eval(comment.strip(), {"inf": math.inf})
            ast.parse(expression.strip(), mode="eval")
        except (SyntaxError, NameError):
            continue
        pairs.append((expression.strip(), value))
    return pairs


def test_the_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "tensorflow", "keras", "onnxscript"):
        pytest.importorskip(package)
    import torch

    from deep_arch.backends import torch_backend
    from deep_arch.searchers import RandomSearch, RegularizedEvolution

    class Trainer:
        def __init__(self, model: torch.nn.Module, optimizer: Any) -> None:
            self.model, self.optimizer = model, optimizer

        def train(self) -> float:
            self.model(torch.zeros(1, 1, 8, 8))
            return float(self.optimizer(self.model.parameters()).defaults["lr"])

    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"da": da, "ops": ops, "torch_backend": torch_backend, "RandomSearch": RandomSearch}
    names |= {"torch": torch, "Trainer": Trainer, "RegularizedEvolution": RegularizedEvolution}
    names |= {"conv": lambda: ops.Conv2D(da.choice([64, 128]), 3), "accuracy": lambda model: 0.5}
    compared = 0
    for code in blocks("python"):
        exec(code.replace("trials=100", "trials=3"), names)
        for expression, value in shown_values(code):
            assert eval(expression, names) == value, expression
            compared += 1
    assert compared >= 2
    assert (tmp_path / "step-1.svg").exists()
    result = da.search(names["net"], names["Uniform"](), trials=1, seed=0)
    next(result).tell(1.0)
    assert result.best.values == names["net"].sample(seed=0).values


def test_the_commands_of_the_readme_are_targets() -> None:
    targets = re.findall(r"^([a-z]+):", (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8"), re.M)
    commands = re.findall(r"^make (\w+)", "\n".join(blocks("console")), re.M)
    assert commands[:2] == ["demo", "test"] and set(commands) <= set(targets)


def test_what_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
