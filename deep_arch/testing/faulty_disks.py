"""Disks that fail: full ones, limits on what may be written, and folders that may only be read."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deep_arch.errors import MissingDependency
from deep_arch.testing.last_will import last_will

_PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of its own that is soon full.

    Args:
        folder: where it is mounted.
    """

    folder: Path

    def fill(self) -> None:
        """Fill what is left of it, so that the next write fails."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(_PAGE_BYTES))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


@contextmanager
def small_disk(folder: Path, n_bytes: int = 2**20) -> Generator[SmallDisk, None, None]:
    """Mount a small file system on a folder, which is made where it lacks, and unmount it in the end.

    Raises:
        MissingDependency: this process may not mount: it is not root's on Linux, or its container forbids it.
    """
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={n_bytes},mode=0777", "tmpfs"):
        yield SmallDisk(folder)


@contextmanager
def full_disk(folder: Path, n_bytes: int = 2**20) -> Generator[SmallDisk, None, None]:
    """Mount a file system on a folder that has no room left: writing raises ENOSPC until its `free()` is called.

    Raises:
        MissingDependency: this process may not mount.
    """
    with small_disk(folder, n_bytes) as disk:
        disk.fill()
        yield disk


@contextmanager
def limited_writes(n_bytes: int) -> Generator[None, None, None]:
    """Let no file of this process grow beyond a size: a longer write raises EFBIG.

    Works for every user. Processes that begin in the block inherit the limit; Python ignores the signal SIGXFSZ, which
    ends other programs. SQLite says "disk I/O error", where a full disk is "database or disk is full".
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def read_only(folder: Path) -> Generator[None, None, None]:
    """Let nobody, not even root, write a folder and what is in it. What is open for writing already stays so.

    Raises:
        MissingDependency: root, whom permissions do not bind, may not mount here.
    """
    protected = _mounted(folder, "-o", "bind,ro", str(folder)) if os.geteuid() == 0 else _without_permission(folder)
    with protected:
        yield


@contextmanager
def _without_permission(folder: Path) -> Generator[None, None, None]:
    paths = [*folder.rglob("*"), folder]
    modes = [path.stat().st_mode for path in paths]
    with ExitStack() as restored:
        for path, mode in zip(paths, modes, strict=True):
            restored.callback(path.chmod, mode)  # last first: a folder before what is in it
            path.chmod(mode & ~0o222)
        yield


@contextmanager
def _mounted(folder: Path, *arguments: str) -> Generator[None, None, None]:
    folder.mkdir(parents=True, exist_ok=True)
    unmount = ["umount", "--lazy", str(folder)]  # lazily: what still has a file open there must not keep it
    with last_will(unmount):
        _mount(folder, *arguments)
        try:
            yield
        finally:
            subprocess.run(unmount, check=True)


def _mount(folder: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True)
        said = done.stderr.strip() if done.returncode else ""
    except FileNotFoundError as error:
        said = str(error)
    if said:
        raise MissingDependency(
            f"faulty disk: expected to mount a file system on {folder}.\n  Got: {said}\n"
            "  Run as root on Linux, where mounting is allowed (docker run --privileged), or use limited_writes."
        )
