from __future__ import annotations

from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import NotSupported

INPUTS = {"x": da.sequence(5, 4), "h": da.vector(8)}


@da.space
def net(x: Any, h: Any) -> Any:
    return da.scan(lambda state, frame: ops.Dense(da.choice([8]))(ops.Concatenate()(state, frame)))(h, x)


def test_a_super_network_says_that_it_holds_no_scans() -> None:
    pytest.importorskip("torch")
    from deep_arch.backends import torch_backend

    with pytest.raises(NotSupported, match=r"scan: a super-network(.|\n)*no scan(.|\n)*space\.without"):
        torch_backend.supernet(net, INPUTS, seed=0)


def test_an_expected_cost_says_so_too() -> None:
    from deep_arch.supernets.expected_costs import expected_cost

    with pytest.raises(NotSupported, match=r"scan: (.|\n)*expected cost(.|\n)*no scan"):
        expected_cost(net, INPUTS, {})
