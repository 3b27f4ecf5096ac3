"""Closing: what a function promises that is declared to leave nothing to decide, and the check when it has run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deep_arch.errors import BadArgument
from deep_arch.language.dependence import roots

if TYPE_CHECKING:
    from deep_arch.language.fragment import Fragment


def check_closed(fragment: Fragment) -> None:
    """Check that a fragment leaves nothing to decide, so that it counts once whatever its function was given.

    Raises:
        BadArgument: it makes or uses hyperparameters, calls rules, uses values from outside or ignores an input.
    """
    for what, mend in _open_ends(fragment):
        raise BadArgument(
            f"{fragment.where()}: is declared closed, so its function decides nothing more than it is given, and "
            f"uses its inputs and nothing else of the space.\n  Got a function that {what}.\n  {mend}"
        )


def _open_ends(fragment: Fragment) -> Iterator[tuple[str, str]]:
    """Yield what is open in a fragment, and how that is mended."""
    leave_out = "or leave out closed=True."
    given = [*fragment.hyperparameters, *[h for call in fragment.calls for _, h in call.module.open_arguments]]
    if found := roots([*given, *fragment.config.values()]):
        yield f"uses {found[0]!r}", f"Give it to da.substitute as one more argument, {leave_out}"
    for call in fragment.calls:
        if call.module.deepens:
            yield f"calls the rule {call.name}", f"Compose its parts without a rule, {leave_out}"
        if call.module.substitution and not fragment.owner_at(call.home).closed:
            yield f"calls {call.name}, which was made outside of it", f"Make it inside the function, {leave_out}"
    for levels, _, _ in fragment.captures:
        if not fragment.owner_at(levels).closed:
            yield "uses a value of the function around it", f"Call the module on that value as well, {leave_out}"
    if not fragment.uses_every_input:
        yield "ignores one of its inputs", f"Let the outputs depend on all, {leave_out}"
