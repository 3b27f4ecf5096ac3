"""Every backend is held to the contract, and offers the same."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deep_arch.backends.base import Backend

HERE = Path(__file__).parent
BACKENDS = sorted(path.name for path in (HERE.parents[1] / "backends").glob("*_backend"))
OF_TENSORS = [name for name in BACKENDS if name != "python_backend"]  # which takes any value, and has no shapes
OFFERED = [name for name in vars(Backend) if not name.startswith("_")]

if TYPE_CHECKING:
    import keras
    from torch import fx

    from deep_arch.backends import keras_backend, tensorflow_backend, torch_backend

    # A type checker holds the packages to the protocol.
    of_keras: Backend[keras.Model] = keras_backend
    of_tensorflow: Backend[tensorflow_backend.Model] = tensorflow_backend
    of_torch: Backend[fx.GraphModule] = torch_backend


def contracts(source: str) -> list[str]:
    """Return the names of the test classes that subclass the contract."""
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    bases = {c.name: [base.id for base in c.bases if isinstance(base, ast.Name)] for c in classes}
    return [name for name, parents in bases.items() if name.startswith("Test") and "BackendContract" in parents]


def fits(function: Callable[..., Any], promised: Callable[..., Any]) -> bool:
    """Return whether a function has the names and defaults of a method, but for what goes by position alone."""
    (_, *expected), given = signature(promised).parameters.values(), [*signature(function).parameters.values()]
    return len(given) == len(expected) and all(
        a.default == b.default and (a.name == b.name or b.kind is b.POSITIONAL_ONLY)
        for a, b in zip(given, expected, strict=True)
    )


def test_the_protocol_promises_what_users_know() -> None:
    assert {"build", "get_weights", "set_weights", "wrap", "export_onnx"} <= set(OFFERED)


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
    for offered in OFFERED:
        assert (getattr(backend, offered).__doc__ or "").strip(), offered


@pytest.mark.parametrize("name", OF_TENSORS)
def test_a_backend_has_the_signatures_of_the_protocol(name: str) -> None:
    pytest.importorskip(name.removesuffix("_backend"))
    backend = importlib.import_module(f"deep_arch.backends.{name}")
    for offered in OFFERED:
        assert fits(getattr(backend, offered), getattr(Backend, offered)), offered


def test_the_check_of_signatures_can_fail() -> None:
    assert fits(lambda model, weights: None, Backend.set_weights)
    assert not fits(lambda model, arrays: None, Backend.set_weights)
    assert not fits(lambda model, weights=(): None, Backend.set_weights)
    assert not fits(lambda model: None, Backend.set_weights)
    assert fits(lambda a_class, outputs=1: None, Backend.wrap)
    assert not fits(lambda a_class, outputs=2: None, Backend.wrap)
