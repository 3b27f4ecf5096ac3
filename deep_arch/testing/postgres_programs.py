"""Where PostgreSQL's programs are, and which user may run them."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import Final, TypedDict

from deep_arch.errors import MissingDependency

_NEEDED: Final = ("initdb", "postgres")

_FOLDERS: Final = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PostgreSQL's packages for Red Hat and Fedora
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/latest/bin",
)


class RunAs(TypedDict, total=False):
    """Arguments of `subprocess` that say which user runs a program."""

    user: int
    group: int
    extra_groups: tuple[str, ...]


def postgres_programs() -> Path:
    """Return the folder of `initdb` and `postgres`: the first on PATH, or the newest where packages put them.

    Raises:
        MissingDependency: PostgreSQL is not installed, or this is no Unix.
    """
    searched = [Path(folder) for folder in os.get_exec_path() if folder]
    for pattern in _FOLDERS:
        searched += sorted(map(Path, glob.glob(pattern)), key=_version, reverse=True)
    for folder in searched if os.name == "posix" else []:
        if all(os.access(folder / name, os.X_OK) for name in _NEEDED):
            return folder
    raise MissingDependency(
        "postgres server: expected PostgreSQL's programs initdb and postgres, on PATH or where packages put them.\n"
        f"  Got none in {len(searched)} folders.\n"
        "  Install PostgreSQL: `make postgres`, `apt-get install postgresql` or `brew install postgresql`."
    )


def _version(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]


def unprivileged() -> RunAs:
    """Return which user runs PostgreSQL, which refuses root: this one where none is named."""
    import pwd

    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
