"""Positions: which places of a space are one in a super-network, though the space tells them apart."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from deep_arch.errors import NotSupported, wrong_kind

Share: TypeAlias = Callable[[str], str] | str | None
"""What a user says of it: nothing, "position", or a function of an address."""

_ALTERNATIVE: Final = re.compile(r"\[[^\[\]/]*[^\[\]/0-9][^\[\]/]*\]")
"""The name of an alternative in an address; numbers alone are copies."""


@functools.lru_cache(maxsize=100_000)
def by_position(address: str) -> str:
    """Return an address without the names of alternatives, but for the last.

    So what stands as the k-th part of one alternative is what stands as the k-th part of another: the first argument of
    a sum is that of a product. The last name stays: alternatives themselves differ, and each decides for itself.

    Example:
        >>> by_position("or[Add]/atom_1/or[Speed]/dense"), by_position("or[Multiply]/atom_1/or[Speed]/dense")
        ('or/atom_1/or[Speed]/dense', 'or/atom_1/or[Speed]/dense')
        >>> by_position("or[Add]/atom_1/or.which"), by_position("repeat[2]/or[Add]/dense")
        ('or[Add]/atom_1/or.which', 'repeat[2]/or[Add]/dense')

    References:
        Cui and Zhu, Differentiable Synthesis of Program Architectures (NeurIPS 2021), section 3, node sharing.
    """
    found = [*_ALTERNATIVE.finditer(address)]
    if len(found) < 2:
        return address
    start = found[-1].start()
    return _ALTERNATIVE.sub("", address[:start]) + address[start:]


def shared_address(space: Any, share: Any, asker: str) -> Callable[[str], str]:
    """Return the function of an address that `share` stands for.

    Raises:
        BadArgument: it is none of these.
        NotSupported: the space is of `fix`, which decided at one of several addresses that are one.
    """
    shared: Callable[[str], str] = str if share is None else by_position if share == "position" else share
    if not callable(shared):
        mend = 'Write share="position", a function from an address to another, or leave it out.'
        raise wrong_kind(asker, 'share to be "position" or a function of an address', share, mend)
    for address in space.restrictions.fixed:
        if shared(address) != address:
            raise NotSupported(
                f"{address}: is fixed in this sub-space, and {asker} would share it with other addresses.\n"
                f"  Got share={share!r}, by which it is {shared(address)}.\n"
                "  Make the super-network of the whole space, or leave share out."
            )
    return shared
