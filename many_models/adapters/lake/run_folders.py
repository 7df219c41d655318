"""Folders that belong to one run: removed when it ends, and by the next run when it was killed.

Beside each folder stands a marker for as long as its owner works on it. On a local disk the owner
holds the marker locked, and the lock ends with its process; an object store has no locks, so that a
marker counts as abandoned there when it is ``ABANDONED_AFTER`` old.
"""

from __future__ import annotations

import fcntl
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyarrow.fs import FileInfo, FileSelector, FileSystem, LocalFileSystem

from many_models.adapters.lake.arrow_files import delete_folder, open_filesystem

logger = logging.getLogger(__name__)

MARKER = ".owned"
MUTEX = ".owners"
ABANDONED_AFTER = timedelta(days=2)


@dataclass
class RunFolder:
    """A folder called ``name`` at ``uri``; its owner sets ``kept`` when it shall stay."""

    name: str
    uri: str
    kept: bool = False


@contextmanager
def run_folder(
    parent: str, kind: str, is_needed: Callable[[str], bool] = lambda name: False
) -> Iterator[RunFolder]:
    """A new folder below ``parent`` (path or URL), which its user makes; gone afterwards.

    Those of the same ``kind`` whose owners were killed are removed first, except where
    ``is_needed`` says of a folder's name that its owner had come to keep it.
    """
    filesystem, root = open_filesystem(parent)
    filesystem.create_dir(root, recursive=True)
    name = f"{kind}-{uuid.uuid4().hex}"
    folder = RunFolder(name, f"{parent.rstrip('/')}/{name}")
    with ExitStack() as held:
        with _one_at_a_time(filesystem, root):
            for abandoned in _find_abandoned(filesystem, root, kind):
                _clear(filesystem, root, abandoned, keep=is_needed(abandoned))
            held.enter_context(_own(filesystem, f"{root}/{name}{MARKER}"))
        try:
            yield folder
        finally:
            _clear(filesystem, root, name, keep=folder.kept)


def _clear(filesystem: FileSystem, root: str, name: str, *, keep: bool) -> None:
    if not keep:
        delete_folder(f"{root}/{name}", filesystem)
    filesystem.delete_file(f"{root}/{name}{MARKER}")


def _find_abandoned(filesystem: FileSystem, root: str, kind: str) -> Iterator[str]:
    for info in filesystem.get_file_info(FileSelector(root)):
        name = info.base_name
        ours = name.startswith(f"{kind}-") and name.endswith(MARKER)
        if ours and is_abandoned(info, is_local=isinstance(filesystem, LocalFileSystem)):
            logger.warning("removing what a killed run left at %s", info.path.removesuffix(MARKER))
            yield name.removesuffix(MARKER)


def is_abandoned(marker: FileInfo, *, is_local: bool) -> bool:
    """Whether the owner of a marker is gone."""
    if not is_local:
        return bool(datetime.now(UTC) - marker.mtime > ABANDONED_AFTER)
    with Path(marker.path).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def _own(filesystem: FileSystem, marker: str) -> Iterator[None]:
    if isinstance(filesystem, LocalFileSystem):
        with Path(marker).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    else:
        filesystem.open_output_stream(marker).close()
        yield


@contextmanager
def _one_at_a_time(filesystem: FileSystem, root: str) -> Iterator[None]:
    """Keeps others from taking a marker for abandoned before its owner has locked it."""
    if isinstance(filesystem, LocalFileSystem):
        with Path(root, MUTEX).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    else:
        yield
