"""What a long command shows while it runs: its own progress, line by line, and nothing else.

What libraries, Spark and Dagster have to say goes to a file. What a command prints when it is done
belongs to the command.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import click

REPEAT_SECONDS = 15.0  # a line that says what the last one said comes again after so long


@contextmanager
def show_progress(log: Path) -> Iterator[None]:
    """Print what the package logs, with the seconds since now; what others say goes to ``log``."""
    package, printer = logging.getLogger("many_models"), _Printer(time.monotonic())
    before = package.level
    with stderr_to(log):
        package.addHandler(printer)
        package.setLevel(logging.INFO)
        try:
            package.info("what libraries say goes to %s", log)
            yield
        finally:
            package.removeHandler(printer)
            package.setLevel(before)


class _Printer(logging.Handler):
    def __init__(self, started: float) -> None:
        super().__init__(logging.INFO)
        self._started = started
        self._last = ("", started)

    def emit(self, record: logging.LogRecord) -> None:
        now, text = time.monotonic(), record.getMessage()
        if text == self._last[0] and now - self._last[1] < REPEAT_SECONDS:
            return
        self._last = (text, now)
        click.echo(f"{now - self._started:7.1f} s  {text}")


@contextmanager
def stderr_to(log: Path) -> Iterator[None]:
    """Send the error output of this process, and of those it starts, to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    kept = os.dup(2)
    with log.open("w", buffering=1) as file, redirect_stderr(file):
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
