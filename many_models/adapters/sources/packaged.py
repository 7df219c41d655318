"""Source databases made of data packages: built once, whole or not at all, and recognised again.

What is in a package, and which tables it makes, is each demo's own business.
"""

from __future__ import annotations

import fcntl
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import adbc_driver_manager
import adbc_driver_sqlite.dbapi
from adbc_driver_manager.dbapi import Cursor

from many_models.core.errors import SourceError


def build_once(
    path: Path, layout: int, fill: Callable[[Cursor], None], tables: Sequence[str]
) -> list[int]:
    """Rows of these ``tables`` in the SQLite file at ``path``, which ``fill`` makes if need be.

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
                fill(cursor)
                cursor.execute(f"PRAGMA user_version = {layout}")
                connection.commit()
            aside.replace(path)
    return _count(path, layout, tables)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait for other processes that build the same file; the lock ends with its process."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _count(path: Path, layout: int, tables: Sequence[str]) -> list[int]:
    questions = ["PRAGMA user_version", *(f"SELECT COUNT(*) FROM {name}" for name in tables)]
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
    if answers[0] != layout:
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
