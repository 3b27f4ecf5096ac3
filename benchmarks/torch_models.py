"""Print the time of a training step of built models, as a ratio to the same models written by hand.

The two run in turn on one thread; the median of the ratios of neighbouring rounds is printed. Run with `make bench`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.fragments import Value

ROUNDS = 60


def block(filters: int) -> da.Module:
    return da.sequential(lambda: ops.Conv2D(filters, 3, use_bias=False), lambda: ops.BatchNormalization(), ops.ReLU)


@da.space
def convolutional(x: Value) -> Value:
    x = block(32)(x)
    x = da.repeat(lambda: da.residual(lambda: block(32)), 3)(x)
    x = block(64)(ops.MaxPooling2D()(x))
    x = da.repeat(lambda: da.residual(lambda: block(64)), 3)(x)
    return ops.Dense(10)(ops.GlobalAveragePooling2D()(x))


class ConvolutionalByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.wide = self.block(3, 32), self.block(32, 64)
        self.first = nn.ModuleList([self.block(32, 32) for _ in range(3)])
        self.second = nn.ModuleList([self.block(64, 64) for _ in range(3)])
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(64, 10)

    @staticmethod
    def block(channels: int, filters: int) -> nn.Module:
        convolution = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for layer in self.first:
            x = layer(x) + x
        x = self.wide(self.pool(x))
        for layer in self.second:
            x = layer(x) + x
        return self.head(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]


@da.space
def dense(x: Value) -> Value:
    x = da.repeat(lambda: da.sequential(lambda: ops.Dense(512), ops.ReLU), 4)(x)
    return ops.Dense(10)(x)


def dense_by_hand() -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Linear(512, 512), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(512, 10))


@da.space
def recurrent(x: Value) -> Value:
    return ops.Dense(10)(ops.LSTM(64)(x))


class RecurrentByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(x.transpose(1, 2))
        return self.head(states[:, -1])  # type: ignore[no-any-return]


def step(model: nn.Module, x: torch.Tensor) -> float:
    """Return the seconds of one forward and backward pass."""
    start = time.perf_counter()
    model.zero_grad(set_to_none=True)
    model(x).square().mean().backward()
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cases: list[tuple[str, da.SearchSpace, da.Spec, Callable[[], nn.Module]]] = [
        ("convolutional", convolutional, da.image(3, 16, 16), ConvolutionalByHand),
        ("dense", dense, da.vector(512), dense_by_hand),
        ("recurrent", recurrent, da.sequence(16, 32), RecurrentByHand),
    ]
    print(f"{'model':15}{'by hand':>12}{'built / by hand':>18}{'at most':>10}")
    for name, space, spec, by_hand in cases:
        built, hand = torch_backend.build(space.sample(0), spec, seed=0), by_hand()
        assert sum(p.numel() for p in built.parameters()) <= sum(p.numel() for p in hand.parameters())
        x = torch.randn(32, *spec.shape)
        for model in (built, hand):
            step(model, x)
        pairs = [(step(built, x), step(hand, x)) for _ in range(ROUNDS)]
        pairs += [pair[::-1] for pair in [(step(hand, x), step(built, x)) for _ in range(ROUNDS)]]
        ratio = statistics.median(a / b for a, b in pairs)
        micro = statistics.median(b for _, b in pairs) * 1e3
        print(f"{name:15}{micro:9.2f} ms{ratio:16.3f} x{1.02:8} x")


if __name__ == "__main__":
    main()
