"""The angles of rotary positions, for the frameworks that know sizes while they build."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt


@functools.lru_cache(maxsize=64)  # which models ask for at each call, where they run without a graph
def rotation(
    length: int, features: int, max_wavelength: float, scaling_factor: float = 1.0
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the cosines and sines, each (length, features / 2) of float64, that `ops.RotaryEmbedding` turns by.

    Example:
        >>> import numpy as np
        >>> cos, sin = rotation(2, 4, max_wavelength=100)
        >>> np.arctan2(sin, cos).round(6).tolist()
        [[0.0, 0.0], [1.0, 0.1]]
    """
    import numpy as np  # late: the language and the Python backend need none

    frequencies = float(max_wavelength) ** (-np.arange(0, features, 2) / features)
    angles = np.outer(np.arange(length) / scaling_factor, frequencies)
    cos, sin = np.cos(angles), np.sin(angles)
    cos.flags.writeable = sin.flags.writeable = False
    return cos, sin
