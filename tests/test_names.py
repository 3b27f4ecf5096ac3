"""Names that are not there: what is offered in their place."""

from __future__ import annotations

import types
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops, searchers
from deep_arch.errors import UnknownName
from deep_arch.names import _ELSEWHERE


@pytest.mark.parametrize(
    ("module", "name", "offered"),
    [
        (ops, "Linear", "Did you mean ops.Dense"),
        (ops, "Conv2d", "Did you mean ops.Conv2D"),
        (ops, "relu", "Did you mean ops.ReLU"),
        (ops, "MaxPool2d", "Did you mean ops.MaxPooling2D"),
        (ops, "BatchNorm2d", "Did you mean ops.BatchNormalization"),
        (ops, "max_pooling2d", "Did you mean ops.MaxPooling2D"),
        (ops, "Concatenat", "'Concatenate'"),
        (searchers, "BayesianOptimization", "Did you mean searchers.SurrogateSearch"),
        (searchers, "Randomsearch", "Did you mean searchers.RandomSearch"),
        (da, "categorical", "Did you mean da.choice"),
        (da, "optionall", "'optional'"),
        (da, "Choice", "Did you mean da.choice"),
    ],
)
def test_the_name_that_is_meant_is_offered(module: Any, name: str, offered: str) -> None:
    with pytest.raises(UnknownName, match=offered) as caught:
        getattr(module, name)
    assert isinstance(caught.value, AttributeError) and isinstance(caught.value, da.DeepArchError)
    assert not hasattr(module, name)


def test_folders_that_are_imported_apart_are_told_how() -> None:
    from deep_arch.names import unknown_name

    assert "Write `from deep_arch import searchers`" in str(unknown_name("deep_arch", "searchers", {}))


def test_what_protocols_ask_for_is_plainly_absent() -> None:
    with pytest.raises(AttributeError) as caught:
        da.__path_of_nothing__  # noqa: B018
    assert not isinstance(caught.value, da.DeepArchError)


@pytest.mark.parametrize("module", [da, ops, searchers], ids=lambda module: module.__name__)
def test_what_is_offered_exists(module: types.ModuleType) -> None:
    assert [name for name in _ELSEWHERE[module.__name__].values() if name not in vars(module)] == []
