"""The champions that a service knows: an index in memory that follows the registry.

The registry may go away: then the service goes on with what it knows, and says so. Loading and
scoring stand in ``online``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from many_models.adapters.registry.champion_feed import ChampionFeed
from many_models.core.champion_index import ChampionIndex
from many_models.core.errors import NotReadyError, RegistryError

logger = logging.getLogger(__name__)

_TIME_SHARE = 0.1  # of looks at a registry that does not answer


@dataclass(frozen=True, slots=True)
class BookStatus:
    """How fresh the index is: ``error`` is why the last look at the registry failed.

    ``seen_at`` is the time (UTC) of the last one that did not, None when there was none.
    """

    champions: int
    seen_at: datetime | None
    age_seconds: float | None
    changed: int
    error: str | None


class ChampionBook:
    """Follows the champions that ``open_feed`` tells of, every ``refresh_seconds``, in a thread.

    A feed that fails is opened anew at the next look. Looks that take long are made less often, so
    that following takes no more than the feed's share of the time, here and at the registry.
    """

    def __init__(
        self,
        open_feed: Callable[[], ChampionFeed],
        *,
        refresh_seconds: float = 2.0,
    ) -> None:
        self._open_feed = open_feed
        self._refresh_seconds = refresh_seconds
        self._feed: ChampionFeed | None = None
        self._index = ChampionIndex()
        self._looking = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen: tuple[datetime, float] | None = None
        self._changed = 0
        self._error: str | None = "the registry was not asked yet"

    @property
    def index(self) -> ChampionIndex:
        """The champions as of the last look.

        Raises:
            NotReadyError: there was none; nobody knows then who has no champion.
        """
        if self._seen is None:
            raise NotReadyError("the registry has not answered since the service started")
        return self._index

    def start(self) -> None:
        """Look once, then every few seconds in a thread; a registry that is away is no error."""
        self.refresh()
        self._thread = threading.Thread(target=self._follow, name="champions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def refresh(self) -> bool:
        """Look now; whether the registry answered."""
        with self._looking:
            try:
                self._look()
            except Exception as error:  # whatever it is, what is known stays known
                if self._error is None or self._seen is None:
                    logger.warning("the registry cannot be read, %s", error)
                self._feed, self._error = None, str(error)
                if not isinstance(error, RegistryError):
                    logger.exception("the registry cannot be read")
                return False
            if self._error is not None:
                logger.info("the registry has %d champions", len(self._index))
            self._seen, self._error = (datetime.now(UTC), time.monotonic()), None
            return True

    def status(self) -> BookStatus:
        """How fresh the index is."""
        seen = self._seen
        return BookStatus(
            champions=len(self._index),
            seen_at=seen and seen[0],
            age_seconds=seen and time.monotonic() - seen[1],
            changed=self._changed,
            error=self._error,
        )

    def _look(self) -> None:
        if self._feed is None:
            self._feed = self._open_feed()
        changes = self._feed.poll(self._index.versions)
        if not changes:
            return
        self._index = self._index.with_changes(changes)
        self._changed += len(changes.changed) + len(changes.gone)
        logger.info("%d champions are new, %d gone", len(changes.changed), len(changes.gone))

    def _follow(self) -> None:
        pause = self._refresh_seconds
        while not self._stopped.wait(pause):
            started = time.monotonic()
            self.refresh()
            share = self._feed.time_share if self._feed else _TIME_SHARE
            pause = rest_after(time.monotonic() - started, self._refresh_seconds, share)


def rest_after(look_seconds: float, refresh_seconds: float, time_share: float) -> float:
    """Seconds until the next look: one every ``refresh_seconds``, none for long if it took long."""
    return max(refresh_seconds, look_seconds / time_share) - look_seconds
