"""The angles of rotary positions, for the frameworks that know sizes while they build."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def rotation(
    length: int, features: int, max_wavelength: float, scaling_factor: float = 1.0
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the cosines and sines, each (length, features / 2) of float64, that `ops.RotaryEmbedding` turns by.

    Example:
        >>> cos, sin = rotation(2, 4, max_wavelength=100)
        >>> np.arctan2(sin, cos).round(6).tolist()
        [[0.0, 0.0], [1.0, 0.1]]
    """
    frequencies = float(max_wavelength) ** (-np.arange(0, features, 2) / features)
    angles = np.outer(np.arange(length) / scaling_factor, frequencies)
    return np.cos(angles), np.sin(angles)
