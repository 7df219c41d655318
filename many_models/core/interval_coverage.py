"""Do prediction intervals cover what they promise? Their share of actuals beside the nominal level.

Errors of one group at one origin go together, so that each group counts as one outcome, and the
tolerance is wide where there are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE = 0.1  # of coverage: less is no reason to act
STANDARD_ERRORS = 3.0


@dataclass(frozen=True, slots=True)
class LevelCoverage:
    """Intervals of one nominal ``level``: the actuals ``judged``, those covered, their groups."""

    level: float
    judged: int
    covered: int
    groups: int

    @property
    def coverage(self) -> float | None:
        """Share of actuals within the intervals; None where nothing was judged."""
        return self.covered / self.judged if self.judged else None

    @property
    def tolerance(self) -> float:
        """How far the coverage may be from the level by chance, and without reason to act."""
        if not self.groups:
            return 1.0
        chance = math.sqrt(self.level * (1 - self.level) / self.groups)
        return TOLERANCE + STANDARD_ERRORS * chance

    @property
    def holds(self) -> bool:
        return self.coverage is None or abs(self.coverage - self.level) <= self.tolerance

    @property
    def text(self) -> str:
        if self.coverage is None:
            return f"nothing to judge the {self.level:.0%} intervals by yet"
        text = f"{self.level:.0%} intervals cover {self.coverage:.1%} of {self.judged} actuals"
        if self.holds:
            return text
        return f"{text}: they are too {'narrow' if self.coverage < self.level else 'wide'}"


def describe_levels(levels: Sequence[LevelCoverage]) -> str:
    """All levels in one line."""
    return "; ".join(level.text for level in levels)
