"""Failures in a row, of which too many end a run: what they have in common is hardly an architecture."""

from __future__ import annotations

from dataclasses import dataclass, field

from deep_arch.errors import StudyError
from deep_arch.studies.trial import Trial


@dataclass
class Failures:
    """How many there were in a row, and their last errors.

    Args:
        most: so many are too many.
    """

    most: int
    in_a_row: int = 0
    errors: list[str] = field(default_factory=list[str])

    def count(self, trial: Trial) -> None:
        """Take in how a trial ended."""
        self.in_a_row = self.in_a_row + 1 if trial.state == "failed" else 0
        if trial.error:
            self.errors = [*self.errors[-2:], f"trial {trial.number}: {trial.error.strip()}"]

    def raise_if_many(self, name: str) -> None:
        """Raise StudyError after too many."""
        if self.in_a_row >= self.most:
            last = "\n".join(self.errors)
            raise StudyError(
                f"study {name!r}: stops after {self.in_a_row} failures in a row.\n  The last of them:\n{last}\n"
                "  Mend the objective and run the script again, which goes on here; or raise max_failures."
            )
