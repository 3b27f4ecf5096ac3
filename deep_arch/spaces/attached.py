"""Attached configuration: a mapping by full names that also finds by the last part of one."""

from __future__ import annotations

from typing import Any

from deep_arch.errors import UnknownAddress, nearest


class Attached(dict[str, Any]):
    """What `da.config` attached, by full names such as `optimizer/momentum`, as which they are listed.

    A name without what stands before it, `config["momentum"]`, finds what is attached further in, if that is one thing.

    Raises:
        UnknownAddress: there is no such name, or several things have it.
    """

    def __missing__(self, name: object) -> Any:
        found = self._ending_in(name)
        if len(found) == 1:
            return self[found[0]]
        if found:
            raise UnknownAddress(
                f"config: several things are called {name!r}.\n  Got {', '.join(found)}.\n"
                f"  Write which: config[{found[0]!r}]."
            )
        raise UnknownAddress(
            f"config: nothing that has a value is called {name!r}.\n  Got the names {', '.join(self) or 'none'}.\n"
            f"  Attach it with da.config({name}=...).{nearest(name, [key.rpartition('/')[2] for key in self])}"
        )

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or bool(self._ending_in(name))

    def get(self, name: str, default: Any = None) -> Any:
        """Return what has a name, or the default where nothing has it."""
        return self[name] if name in self else default  # noqa: SIM401, which would call itself

    def _ending_in(self, name: object) -> list[str]:
        return [key for key in self if key.endswith(f"/{name}")]
