"""What training costs: time measured for each group, and how much of it a task may spend.

Here belong the clocks. What becomes of a group whose turn comes too late is training's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from many_models.core.failure import Problem


@dataclass(frozen=True, slots=True)
class Cost:
    """Time that passed, and the time of processor cores that was spent on it, in seconds."""

    seconds: float = 0.0
    core_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.core_seconds + other.core_seconds)

    def shared_by(self, count: int) -> Cost:
        """The part of one of ``count``."""
        return Cost(self.seconds / count, self.core_seconds / count)


NO_COST = Cost()


class Stopwatch:
    """Measures from when it is made; the cores' time is that of all threads of this process."""

    def __init__(self) -> None:
        self._started = time.perf_counter(), time.process_time()

    def read(self) -> Cost:
        return Cost(time.perf_counter() - self._started[0], time.process_time() - self._started[1])


class Allowance:
    """Core-seconds that this process may spend from when it is made."""

    def __init__(self, core_seconds: float) -> None:
        self._core_seconds = core_seconds
        self._watch = Stopwatch()

    @property
    def left(self) -> float:
        """Core-seconds; below zero where more was spent, since a group under way is finished."""
        return self._core_seconds - self._watch.read().core_seconds

    @property
    def spent(self) -> bool:
        return self.left <= 0

    def explain(self) -> Problem:
        """Why a group whose turn comes after all is spent is not trained."""
        text = (
            f"the {self._core_seconds:.3g} core-seconds of this group's shard were spent before "
            "its turn; its champion, if it has one, goes on. Raise core_minutes to train it"
        )
        return Problem("budget_spent", text)
