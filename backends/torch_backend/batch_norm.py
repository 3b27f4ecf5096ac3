"""Batch normalisation whose moving variance is that of Keras.

Both normalise by the variance of the batch, the mean square distance from its mean. That is what Keras averages over
steps too, while torch averages the unbiased estimate, larger by n / (n - 1) for n numbers in each channel.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


def _in_training(layer: Any, x: Tensor) -> Tensor:
    """Normalise by the batch and move the statistics of a layer of torch."""
    layer.num_batches_tracked.add_(1)
    # A copy, for what torch was given must stay as it is until the gradients are computed.
    variance = layer.running_var.clone()
    normalized = F.batch_norm(
        x, layer.running_mean, variance, layer.weight, layer.bias, True, layer.momentum, layer.eps
    )
    # It is kept * old + new * n / (n - 1) now, and should be kept * old + new.
    n = x.numel() // x.shape[1]
    layer.running_var.mul_((1.0 - layer.momentum) / n).add_(variance, alpha=1.0 - 1.0 / n)
    return normalized


class BatchNorm1d(nn.BatchNorm1d):
    """Normalise (batch, channels), or (batch, channels, length)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return what torch does, and move the statistics as Keras does."""
        return _in_training(self, input) if self.training and self.track_running_stats else super().forward(input)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any rank, as a shared module may be called on several, and none is looked at while torch traces."""


class BatchNorm2d(nn.BatchNorm2d):
    """Normalise (batch, channels, height, width)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return what torch does, and move the statistics as Keras does."""
        return _in_training(self, input) if self.training and self.track_running_stats else super().forward(input)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any rank, as a shared module may be called on several, and none is looked at while torch traces."""


class BatchNorm3d(nn.BatchNorm3d):
    """Normalise (batch, channels, depth, height, width)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return what torch does, and move the statistics as Keras does."""
        return _in_training(self, input) if self.training and self.track_running_stats else super().forward(input)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any rank, as a shared module may be called on several, and none is looked at while torch traces."""
