"""Print the time of a training step of built models, as a ratio to the same models written by hand.

All run on one thread. Run with `make bench`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from model_spaces import BATCH, SPACES, compare, print_header
from torch import nn

from deep_arch.backends import torch_backend


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


def dense_by_hand() -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Linear(512, 512), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(512, 10))


class RecurrentByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(x.transpose(1, 2))
        return self.head(states[:, -1])  # type: ignore[no-any-return]


BY_HAND: dict[str, Callable[[], nn.Module]] = {
    "convolutional": ConvolutionalByHand,
    "dense": dense_by_hand,
    "recurrent": RecurrentByHand,
}


def step(model: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """Return what runs one forward and backward pass."""

    def run() -> None:
        model.zero_grad(set_to_none=True)
        model(x).square().mean().backward()

    return run


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print_header()
    for name, (space, spec) in SPACES.items():
        x = torch.randn(BATCH, *spec.shape)
        build = functools.partial(torch_backend.build, space.sample(0), spec)
        n_built, n_by_hand = (sum(p.numel() for p in make().parameters()) for make in (build, BY_HAND[name]))
        assert n_built <= n_by_hand, "torch's own LSTM has a bias more"
        ours, theirs = (functools.partial(_made, make, x) for make in (build, BY_HAND[name]))
        compare(f"PyTorch {name}", ours, theirs, at_most=1.02)


def _made(make: Callable[[], nn.Module], x: torch.Tensor) -> Callable[[], object]:
    return step(make(), x)


if __name__ == "__main__":
    main()
