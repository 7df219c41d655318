"""Where packs stand: a local disk, or an object store that pyarrow or fsspec can reach.

Knows how a file appears whole or not at all, and how parts of it are read; not what is in it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pyarrow.fs import FileSelector, FileSystem, FSSpecHandler, PyFileSystem

SCHEMES = ("file", "s3", "gs", "abfs", "abfss", "hdfs")
"""Where packs may stand; each has its entry point in ``pyproject.toml``."""


class PackTarget:
    """A file being written to ``stream``; under another name, or unseen, until it is published."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._path = _path_of(uri)
        if self._path is None:
            filesystem, name = _open_filesystem(uri)
            self.stream: Any = filesystem.open_output_stream(name)
        else:
            self._written = self._path.with_name(f"{self._path.name}.tmp")
            self._written.parent.mkdir(parents=True, exist_ok=True)
            self.stream = self._written.open("xb", buffering=1 << 20)

    def end(self) -> None:
        """Bring all bytes to the disk or the store; may be called again."""
        if self.stream.closed:
            return
        if self._path is not None:
            self.stream.flush()
            os.fsync(self.stream.fileno())
        self.stream.close()

    def publish(self) -> None:
        """Let the file appear, for good."""
        if self._path is None:
            return  # ending it did: object stores show whole objects only
        self._written.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Give the file up; what cannot be deleted now is an orphan."""
        with suppress(OSError):
            self.stream.close()
            if self._path is None:
                filesystem, name = _open_filesystem(self.uri)
                filesystem.delete_file(name)
            else:
                self._written.unlink()


class PackSource:
    """A pack opened for reading at any offset."""

    def __init__(self, uri: str) -> None:
        path = _path_of(uri)
        self._remote: Any = None
        if path is None:
            filesystem, name = _open_filesystem(uri)
            self._remote = filesystem.open_input_file(name)
            self.size: int = self._remote.size()
        else:
            self._descriptor = os.open(path, os.O_RDONLY)
            self.size = os.fstat(self._descriptor).st_size

    def __enter__(self) -> PackSource:
        return self

    def __exit__(self, *_: object) -> None:
        if self._remote is None:
            os.close(self._descriptor)
        else:
            self._remote.close()

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        if self._remote is None:
            return os.pread(self._descriptor, length, offset)
        content: bytes = self._remote.read_at(length, offset)
        return content


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file where packs stand; ``modified`` is in UTC."""

    uri: str
    size: int
    modified: datetime


def list_files(folder: str) -> list[StoredFile]:
    """All files in and below ``folder`` (a URI); none where there is no such folder."""
    folder = folder.rstrip("/")
    path = _path_of(folder)
    if path is None:
        filesystem, name = _open_filesystem(folder)
        selector = FileSelector(name, allow_not_found=True, recursive=True)
        depth, now = len(name.strip("/")), datetime.now(UTC)  # now, where a store tells no time
        return [
            StoredFile(f"{folder}{info.path.strip('/')[depth:]}", info.size, info.mtime or now)
            for info in filesystem.get_file_info(selector)
            if info.is_file
        ]
    found = []
    for file in path.rglob("*"):
        with suppress(FileNotFoundError):  # a pack may get its final name at this moment
            status = file.stat()
            if S_ISREG(status.st_mode):
                modified = datetime.fromtimestamp(status.st_mtime, UTC)
                found.append(StoredFile(file.as_uri(), status.st_size, modified))
    return found


def delete_file(uri: str) -> None:
    """Delete a file; that it is gone already is no error."""
    path = _path_of(uri)
    with suppress(FileNotFoundError):
        if path is None:
            filesystem, name = _open_filesystem(uri)
            filesystem.delete_file(name)
        else:
            path.unlink()


def _path_of(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _open_filesystem(uri: str) -> tuple[Any, str]:
    parts = urlsplit(uri)
    filesystem, root = _connect(parts.scheme, parts.netloc)
    return filesystem, f"{root.rstrip('/')}{parts.path}"


@lru_cache(16)
def _connect(scheme: str, place: str) -> tuple[Any, str]:
    """File system and the path in it of ``scheme://place``; connections are dear, so kept."""
    if scheme in SCHEMES:
        return FileSystem.from_uri(f"{scheme}://{place}/")  # type: ignore[no-any-return]
    import fsspec

    return PyFileSystem(FSSpecHandler(fsspec.filesystem(scheme))), place
