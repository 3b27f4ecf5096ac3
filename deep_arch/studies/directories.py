"""Directories: a folder for each architecture that a search gives out, where its training keeps checkpoints."""

from __future__ import annotations

import os
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import BadArgument
from deep_arch.studies.trial import SearchWarning

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX: Final = "trial-"


class Directories:
    """The folders of one search, each made on first use.

    Args:
        root: where they lie, made on first use; None for a temporary folder that is removed with this object.
        again: whether it may hold folders, which are those of this search.

    Raises:
        BadArgument: `root` is no path, or holds folders of another search.
    """

    def __init__(self, root: str | os.PathLike[str] | None, again: bool = False) -> None:
        self._root = None if root is None else _unused(root, again)
        self._is_temporary = False

    def __getstate__(self) -> dict[str, Any]:
        if self._is_temporary:
            warnings.warn(
                "search: what trials keep in their temporary folders does not go with the search that is pickled.\n"
                f"  Got a search whose trials have folders in {self._root}.\n"
                "  Give it a folder that stays: da.search(..., directory='runs').",
                SearchWarning,
                stacklevel=2,
            )
        return {"_root": None if self._is_temporary else self._root, "_is_temporary": False}

    def folder(self, number: int) -> Path:
        """Return the folder that the trial of this number began, which exists."""
        if self._root is None:
            self._root, self._is_temporary = _temporary(self), True
        path = self._root / f"{_PREFIX}{number}"
        path.mkdir(parents=True, exist_ok=True)
        return path


def _unused(given: Any, again: bool) -> Path:
    from pathlib import Path

    if not isinstance(given, str | os.PathLike):
        raise BadArgument(
            f"search: directory is a path.\n  Got {given!r} ({type(given).__name__}).\n"
            "  Write directory='runs', or leave it out for a temporary folder."
        )
    # Absolute, so that a change of the working directory moves no trial.
    root = Path(os.path.abspath(given))  # pyright: ignore[reportUnknownArgumentType]
    if not again and (earlier := sorted(path.name for path in root.glob(f"{_PREFIX}*"))):
        raise BadArgument(
            f"search: directory must not hold the trials of another search, whose checkpoints would be mixed with "
            f"these.\n  Got {str(root)!r}, which holds {earlier[0]}.\n"
            f"  Give each search a directory of its own, such as {str(root / 'second')!r}, or remove the old folders."
        )
    return root


def _temporary(owner: Directories) -> Path:
    import shutil
    import tempfile
    from pathlib import Path

    made = tempfile.mkdtemp(prefix="deep_arch-")
    weakref.finalize(owner, shutil.rmtree, made, ignore_errors=True)
    return Path(made)
