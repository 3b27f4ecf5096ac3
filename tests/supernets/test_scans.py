from __future__ import annotations

from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import NotSupported

torch = pytest.importorskip("torch")


def test_a_super_network_says_that_it_runs_no_scans() -> None:
    from deep_arch.backends import torch_backend

    def folded(x: Any, h: Any) -> Any:
        return da.scan(lambda state, frame: ops.Dense(da.choice([8]))(ops.Concatenate()(state, frame)))(h, x)

    net = da.space(folded)
    supernet = torch_backend.supernet(net, {"x": da.sequence(5, 4), "h": da.vector(8)}, seed=0)
    with pytest.raises(NotSupported, match=r"scan/enter: a super-network runs no scans(.|\n)*space\.without"):
        supernet.at(net.sample(seed=0))(torch.zeros(2, 4, 5), torch.zeros(2, 8))
