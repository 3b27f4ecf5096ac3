"""Networks of published searches: counts that their sources give, and all of one super-network."""

from __future__ import annotations

import pytest
import torch

import deep_arch as da
from deep_arch.backends import torch_backend
from deep_arch.testing.published_networks import (
    NB201_EDGES,
    darts_cells,
    elastic_mobilenet,
    elastic_transformer,
    nats_sizes,
    nb201,
)

IMAGE = da.image(3, 8, 8)

SPACES: dict[str, tuple[da.SearchSpace, da.Spec]] = {
    "nb201": (nb201(4, 1), IMAGE),
    "nb201 without affine": (nb201(4, 1, affine=False), IMAGE),
    "nats_sizes": (nats_sizes((4, 8)), IMAGE),
    "nats_sizes of signals": (nats_sizes((4, 8), ndim=1), da.tensor(1, 12)),
    "elastic_mobilenet": (elastic_mobilenet(((4, 8), (8, 12)), depth=2), IMAGE),
    "darts_cells": (darts_cells(4, 3, 2), IMAGE),
    "elastic_transformer": (elastic_transformer(8, 8, 2), da.tensor(5, dtype="int64")),
}


@pytest.mark.parametrize(
    ("operations", "parameters"),  # of CIFAR-10, in the published table of 15,625 cells
    [
        ("avg_pool_3x3 nor_conv_1x1 skip_connect nor_conv_1x1 skip_connect skip_connect", 129_306),
        ("nor_conv_3x3 nor_conv_3x3 avg_pool_3x3 none nor_conv_3x3 avg_pool_3x3", 802_426),
        ("skip_connect skip_connect skip_connect none nor_conv_1x1 none", 101_306),
        ("nor_conv_3x3 nor_conv_3x3 nor_conv_3x3 skip_connect nor_conv_3x3 nor_conv_1x1", 1_073_466),
    ],
)
def test_cells_have_the_published_numbers_of_parameters(operations: str, parameters: int) -> None:
    values = dict(zip(NB201_EDGES, operations.split(), strict=True))
    assert nb201().at(values).cost(da.image(3, 32, 32)).parameters == parameters


@pytest.mark.parametrize("name", SPACES)
def test_paths_are_the_built_models(name: str) -> None:
    space, spec = SPACES[name]
    supernet = torch_backend.supernet(space, spec, seed=0)
    x = torch.arange(2 * spec.size).reshape(2, *spec.shape) % 8
    x = x if spec.dtype == "int64" else x.float().sin()
    for seed in range(4):
        architecture = space.sample(seed)
        expected = supernet.build(architecture)(x)
        torch.testing.assert_close(supernet.at(architecture)(x), expected, rtol=1e-5, atol=1e-5)
        assert len(expected) == 2 and bool(expected.isfinite().all())
