"""Layers that torch lacks, or that it defines otherwise than Keras does.

Recurrent layers take and give (batch, length, features), as torch's own do with `batch_first`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def freeze(layer: nn.Module, name: str) -> None:
    """Turn a parameter into a constant buffer of its current value, which is not trained, counted or saved.

    Setting the parameter to None would do as well, but some of torch's kernels refuse a bias without a weight.
    """
    value = getattr(layer, name).detach()
    delattr(layer, name)
    layer.register_buffer(name, value, persistent=False)


def zeros(x: Tensor, units: int) -> Tensor:
    """Return (batch, units) of zeros, of a tensor's type if that is of floats."""
    return x.new_zeros(x.shape[0], units, dtype=x.dtype if x.is_floating_point() else torch.float32)


class DropPath(nn.Module):
    """Zero whole examples at random in training, and scale the others so that the mean stays.

    References:
        Huang et al., Deep Networks with Stochastic Depth, 2016, section 3.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, ...) to (batch, ...)."""
        if not self.training or self.rate == 0.0:
            return x
        kept = 1.0 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1)).bernoulli_(kept)
        return x * (mask.div_(kept) if kept > 0.0 else mask)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"rate={self.rate}"


class GaussianNoise(nn.Module):
    """Add noise of mean zero in training."""

    def __init__(self, stddev: float) -> None:
        super().__init__()
        self.stddev = stddev

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, ...) to (batch, ...)."""
        return x + self.stddev * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"stddev={self.stddev}"


class Scale(nn.Module):
    """Multiply each channel by a trained factor."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), float(initial)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, *spatial) to the same shape."""
        return x * self.scale.view((-1,) + (1,) * (x.dim() - 2))

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.scale.shape[0]}"


class PositionEmbedding(nn.Module):
    """Add a trained vector to each position."""

    def __init__(self, length: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(length, features))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, features) to the same shape."""
        return x + self.weight[: x.shape[1]]

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"


class Parameter(nn.Module):
    """Give a trained constant for each example."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(*shape))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, ...) to (batch, *shape)."""
        # Under no_grad, a view of a parameter would still ask for gradients, which torch's own hooks do not expect.
        return self.value.repeat(x.shape[0], *(1,) * self.value.dim())

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return ", ".join(map(str, self.value.shape))


class SingleBiasLSTM(nn.LSTM):
    """One layer of LSTM with one trained bias, as Keras and the original equations have it; nn.LSTM has two.

    The gates stand in torch's order: input, forget, cell, output. The order of Keras is the same.
    """

    bias_hh_l0: Tensor

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, batch_first=True)  # pyright: ignore[reportUnknownMemberType]
        nn.init.zeros_(self.bias_hh_l0)
        freeze(self, "bias_hh_l0")
        self._init_flat_weights()  # the kernels read this list, which still holds the parameter

    def reset_parameters(self) -> None:
        """Draw new weights, and leave the constant bias at zero."""
        super().reset_parameters()
        nn.init.zeros_(self.bias_hh_l0)


class ResetBeforeGRU(nn.Module):
    """One layer of GRU that resets the state before the recurrent product, with one bias; nn.GRU resets after it.

    The gates stand in torch's order: reset, update, new.

    References:
        Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, equations 5 to 8.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(3 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights as nn.GRU does: uniformly within 1 / sqrt(hidden_size)."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, length, features) to (batch, length, hidden_size) and the last state, (1, batch, hidden_size)."""
        n_gates = 2 * self.hidden_size
        gates_weight, new_weight = self.weight_hh[:n_gates], self.weight_hh[n_gates:]
        projected = F.linear(x, self.weight_ih, self.bias)
        state = projected.new_zeros(x.shape[0], self.hidden_size)
        states: list[Tensor] = []
        for step in projected.unbind(1):
            reset, update = torch.sigmoid(step[:, :n_gates] + F.linear(state, gates_weight)).chunk(2, dim=1)
            new = torch.tanh(step[:, n_gates:] + F.linear(reset * state, new_weight))
            state = torch.lerp(new, state, update)
            states.append(state)
        return torch.stack(states, dim=1), state.unsqueeze(0)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.weight_ih.shape[1]}, {self.hidden_size}"


class ReversibleEmbedding(nn.Embedding):
    """Look tokens up, or multiply what is of floats by the transposed table."""

    def forward(self, input: Tensor) -> Tensor:
        """Map tokens (batch, ...) to (batch, ..., features), or the latter to (batch, ..., tokens)."""
        return F.linear(input, self.weight) if input.is_floating_point() else super().forward(input)


class Function(nn.Module):
    """Hold a callable on tensors, so that it has a name in the model and pickles with it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: Tensor) -> Any:
        """Call the function."""
        return self.function(*tensors)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return getattr(self.function, "__qualname__", repr(self.function))
