"""Every backend is held to the contract, and offers the same."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BACKENDS = sorted(path.name for path in (HERE.parents[1] / "backends").glob("*_backend"))
OF_TENSORS = [name for name in BACKENDS if name != "python_backend"]  # which takes any value, and has no shapes


def contracts(source: str) -> list[str]:
    """Return the names of the test classes that subclass the contract."""
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    bases = {c.name: [base.id for base in c.bases if isinstance(base, ast.Name)] for c in classes}
    return [name for name, parents in bases.items() if name.startswith("Test") and "BackendContract" in parents]


def test_there_are_backends() -> None:
    assert {"keras_backend", "python_backend", "tensorflow_backend", "torch_backend"} <= set(BACKENDS)


@pytest.mark.parametrize("name", OF_TENSORS)
def test_a_backend_is_held_to_the_contract(name: str) -> None:
    assert contracts((HERE / f"test_{name}.py").read_text(encoding="utf-8"))


def test_the_check_can_fail() -> None:
    assert contracts("class TestIt(Runner, BackendContract): ...") == ["TestIt"]
    assert not contracts("class TestIt(Runner): ...")


@pytest.mark.parametrize("name", OF_TENSORS)
def test_a_backend_offers_what_the_others_do(name: str) -> None:
    pytest.importorskip(name.removesuffix("_backend"))
    backend = importlib.import_module(f"deep_arch.backends.{name}")
    for offered in ("build", "get_weights", "set_weights", "wrap", "export_onnx"):
        assert (getattr(backend, offered).__doc__ or "").strip(), offered
