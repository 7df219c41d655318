"""An upgrade that stops in the middle, for a process that is killed there; light to import."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from unittest.mock import patch

from many_models.adapters.results import upgrade
from many_models.adapters.results.store import ResultStore

WAITED_SECONDS = 120


def upgrade_until(url: str, statements: int, reached: Connection) -> None:
    """Upgrade the store; after so many statements tell it, and wait to be killed."""
    run, count = upgrade._Runner.write, 0

    def write(runner: upgrade._Runner, text: str) -> None:
        nonlocal count
        run(runner, text)
        count += 1
        if count == statements:
            reached.send(count)
            time.sleep(WAITED_SECONDS)

    with patch.object(upgrade._Runner, "write", write):
        ResultStore(url).upgrade()
