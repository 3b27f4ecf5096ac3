"""The super-network of NAS-Bench-201 as one writes it by hand, with the operations of `published_networks.nb201`.

One forward function for each algorithm, as the code of NATS-Bench has it: a path, all operations mixed (DARTS), one
operation times its weight (GDAS).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from deep_arch.testing.published_networks import NB201_EDGES, NB201_OPERATIONS

EdgeRule = Callable[["Edge", Tensor, int], Tensor]
"""What an edge makes of a tensor; the last argument says which of the six it is."""


def conv(channels: int, filters: int, kernel: int, stride: int, affine: bool) -> nn.Module:
    """Pad as Keras and TensorFlow do, which at a stride of 2 adds a row and a column at the ends alone."""
    padding = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
    convolution = nn.Conv2d(channels, filters, kernel, stride, padding=0 if padding else kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), *padding, convolution, nn.BatchNorm2d(filters, affine=affine))


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Edge(nn.ModuleList):
    """The five operations of an edge, in the order of the published table."""

    def __init__(self, channels: int, affine: bool) -> None:
        pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        convs = [conv(channels, channels, kernel, 1, affine) for kernel in (1, 3)]
        super().__init__([Zero(), nn.Identity(), *convs, pool])


class Cell(nn.Module):
    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.edges = nn.ModuleList([Edge(channels, affine) for _ in NB201_EDGES])

    def forward(self, x: Tensor, rule: EdgeRule) -> Tensor:
        nodes, k = [x], 0
        for j in (1, 2, 3):
            total = None
            for i in range(j):
                y = rule(self.edges[k], nodes[i], k)  # type: ignore[arg-type]
                total = y if total is None else total + y
                k += 1
            assert total is not None, "each node has an edge"
            nodes.append(total)
        return nodes[3]


class Reduction(nn.Module):
    def __init__(self, channels: int, filters: int, affine: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(conv(channels, filters, 3, 2, affine), conv(filters, filters, 3, 1, affine))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, filters, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x) + self.shortcut(x)  # type: ignore[no-any-return]


class NB201ByHand(nn.Module):
    """Three stages of cells, with residual blocks between that halve the image."""

    def __init__(self, channels: int = 8, cells: int = 1, n_classes: int = 10, affine: bool = True) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels, affine=affine)
        )
        widths = [channels, 2 * channels, 4 * channels]
        self.stages = nn.ModuleList([nn.ModuleList([Cell(width, affine) for _ in range(cells)]) for width in widths])
        self.reductions = nn.ModuleList([Reduction(a, b, affine) for a, b in itertools.pairwise(widths)])
        self.norm = nn.BatchNorm2d(widths[-1], affine=affine)
        self.head = nn.Linear(widths[-1], n_classes)

    def forward(self, x: Tensor, rule: EdgeRule) -> Tensor:
        x = self.stem(x)
        for i, cells in enumerate(self.stages):
            x = self.reductions[i - 1](x) if i else x
            for cell in cells:  # type: ignore[attr-defined]
                x = cell(x, rule)
        return self.head(functional.relu(self.norm(x)).mean(dim=(2, 3)))  # type: ignore[no-any-return]


def path(values: Mapping[str, str]) -> EdgeRule:
    """Run one operation on each edge."""
    picked = [NB201_OPERATIONS.index(values[edge]) for edge in NB201_EDGES]
    return lambda edge, x, k: edge[picked[k]](x)


def mixed(weights: Tensor) -> EdgeRule:
    """Run all operations, and add them by their weights of shape (6, 5)."""

    def rule(edge: Edge, x: Tensor, k: int) -> Tensor:
        total = weights[k, 0] * edge[0](x)
        for i in range(1, 5):
            total = total + weights[k, i] * edge[i](x)
        return total  # type: ignore[no-any-return]

    return rule


def one_hot(weights: Tensor, picked: Sequence[int]) -> EdgeRule:
    """Run the operation picked on each edge, times its weight."""
    return lambda edge, x, k: weights[k, picked[k]] * edge[picked[k]](x)


class Plain(nn.Module):
    """Four convolutions of one width, as one writes them where nothing is to be decided."""

    def __init__(self, width: int, kernel: int, layers: int = 4, channels: int = 3) -> None:
        super().__init__()
        made = list[nn.Module]()
        for layer in range(layers):
            made.append(nn.Conv2d(width if layer else channels, width, kernel, padding=kernel // 2, bias=False))
            made += [nn.BatchNorm2d(width), nn.ReLU()]
        self.layers = nn.Sequential(*made)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]
