"""How many requests are worked on at once, how long one may take, and what becomes of the rest.

Knows nothing of HTTP. Work is done in a few threads; who comes while enough are waiting is turned
away at once, rather than kept waiting until nobody is served in time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class OverloadError(Exception):
    """Too many requests are waiting; ``retry_seconds`` is when to come again."""

    def __init__(self, retry_seconds: int) -> None:
        super().__init__(f"too many requests at once; try again in {retry_seconds} s")
        self.retry_seconds = retry_seconds


class DeadlineError(Exception):
    """A request was not answered in its time."""


class Gate:
    """Lets ``waiting_max`` requests in at once, and works on ``threads`` of them.

    ``prepare`` runs once in each thread. What exceeds its ``seconds`` is given up: where it has not
    begun yet, it never does; where it has, its thread ends it for nobody.
    """

    def __init__(
        self,
        threads: int,
        waiting_max: int,
        seconds: float,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self._waiting_max = waiting_max
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(threads, "scoring", initializer=prepare)
        self.inside = 0
        self.turned_away = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``, done in a thread; only to be called from one event loop.

        Raises:
            OverloadError: too many are waiting already.
            DeadlineError: it took too long.
        """
        if self.inside >= self._waiting_max:
            self.turned_away += 1
            raise OverloadError(1)
        deadline = time.monotonic() + self._seconds

        def in_time() -> Result:
            if time.monotonic() >= deadline:
                raise DeadlineError(f"it waited for more than {self._seconds:g} s")
            return work()

        self.inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, in_time)
        future.add_done_callback(self._leave)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._seconds)
        except TimeoutError:
            raise DeadlineError(f"it took more than {self._seconds:g} s") from None

    def close(self) -> None:
        """End the threads, once what they work on is done."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _leave(self, future: asyncio.Future[Result]) -> None:
        self.inside -= 1
        if not future.cancelled():
            future.exception()  # seen, even where nobody waits any more
