"""Source databases of demos: SQLite files, built once, whole or not at all, and recognised again.

What their tables hold is each demo's own business.
"""

from __future__ import annotations

import fcntl
import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import adbc_driver_manager
import adbc_driver_sqlite.dbapi
import pyarrow as pa
from adbc_driver_manager.dbapi import Cursor

from many_models.core.errors import SourceError

logger = logging.getLogger(__name__)

Rows: TypeAlias = pa.Table | pa.RecordBatchReader


@dataclass(frozen=True)
class DemoTables:
    """What a demo's database holds; ``layout`` is a number of its own, a new one if it changes.

    ``read`` gives the rows of the ``tables``; ``statements`` make these first, where their columns
    have to be told; ``indexes`` are made last.
    """

    layout: int
    tables: tuple[str, ...]
    read: Callable[[], Mapping[str, Rows]]
    statements: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoSource:
    """The database file, and the number of rows in each of its tables."""

    path: Path
    rows: Mapping[str, int]


def build_once(path: Path, demo: DemoTables) -> DemoSource:
    """The demo's SQLite file at ``path``, which is made if need be.

    Built under another name and renamed, so that an interrupted run leaves nothing at ``path``;
    ``layout`` is written last, so that a file with this number is complete.

    Raises:
        SourceError: another file is at ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(path.with_name(f"{path.name}.lock")):
        if not path.exists():
            aside = path.with_name(f"{path.name}.building")
            for left in (aside, aside.with_name(f"{aside.name}-journal")):
                left.unlink(missing_ok=True)
            with (
                closing(adbc_driver_sqlite.dbapi.connect(str(aside))) as connection,
                closing(connection.cursor()) as cursor,
            ):
                _fill(cursor, demo)
                cursor.execute(f"PRAGMA user_version = {demo.layout}")
                connection.commit()
            aside.replace(path)
    return DemoSource(path, dict(zip(demo.tables, _count(path, demo), strict=True)))


def _fill(cursor: Cursor, demo: DemoTables) -> None:
    rows = demo.read()
    for statement in demo.statements:
        cursor.execute(statement)
    for table in demo.tables:
        logger.info("loading table %s", table)
        cursor.adbc_ingest(table, rows[table], mode="create_append")
    for statement in demo.indexes:
        cursor.execute(statement)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait for other processes that build the same file; the lock ends with its process."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _count(path: Path, demo: DemoTables) -> list[int]:
    questions = ["PRAGMA user_version", *(f"SELECT COUNT(*) FROM {name}" for name in demo.tables)]
    answers: list[int] = []
    try:
        with (
            closing(adbc_driver_sqlite.dbapi.connect(str(path))) as connection,
            closing(connection.cursor()) as cursor,
        ):
            for question in questions:
                cursor.execute(question)
                answers += [int(row[0]) for row in cursor.fetchall()]
    except adbc_driver_manager.Error as error:
        raise _not_ours(path) from error
    if answers[0] != demo.layout:
        raise _not_ours(path)
    return answers[1:]


def _not_ours(path: Path) -> SourceError:
    return SourceError(
        f"{path} is not a demo source of this version: move it away or choose another path"
    )


def find_data(package: str) -> Path:
    """Folder ``data`` of an installed package, which is not imported: it may need what we lack.

    Raises:
        SourceError: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SourceError(
            f"the demo needs the package {package}, which is not installed: run "
            "pip install 'many-models[demo]'"
        )
    return Path(spec.origin).parent / "data"
