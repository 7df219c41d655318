"""Packs: the files of some hundred models in one file; a directory a model would cost far more.

Knows the format, how models are written into packs and one is read out; not which models exist, nor
where the bytes go. Needs no MLflow, so that Spark executors write and read packs without it.

A pack starts with ``MAGIC``. Each model is an entry: a header (where the pack holds the files that
many models share, how long the description and the payload are, the payload's SHA-256), then the
description, then the payload. A model's own further files, if any, are a JSON object of their texts
by name at the end of the description, after a NUL, which no YAML has. Its location is
``pack+<URI of the pack>/<offset of the entry>``.
"""

from __future__ import annotations

import json
import secrets
import struct
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType

from many_models.adapters.registry.pack_place import PackSource, PackTarget

MAGIC = b"MMPACK01"
PREFIX = "pack+"
_SUFFIX = ".pack"
_ENTRY = struct.Struct("<QIIQ32s")
_OWN = b"\0"
NO_FILES: Mapping[str, bytes] = MappingProxyType({})
_FIRST_READ = 1 << 16  # bytes: takes most models in one read
MODELS_A_PACK = 500
_BYTES = 1 << 28


class PackFormatError(OSError):
    """What stands at a location is not an entry of a pack, or not the one that was written."""


def is_packed(location: str) -> bool:
    """Whether ``location`` is one of a model in a pack."""
    return location.startswith(PREFIX)


def split_location(location: str) -> tuple[str, int]:
    """URI of the pack, and the offset of the model in it.

    Raises:
        PackFormatError: when ``location`` names no model in a pack.
    """
    uri, _, offset = location.removeprefix(PREFIX).rpartition("/")
    if not is_packed(location) or not uri.endswith(_SUFFIX) or not offset.isdecimal():
        raise PackFormatError(f"{location} is not the location of a model in a pack")
    return uri, int(offset)


class PackWriter:
    """Appends models to packs in ``folder`` (a URI); begins a new pack every ``models`` models.

    ``address`` is the folder as readers reach it, where that is another one: a server's, say. What
    was appended is there for good, and may be spoken of, once ``seal`` has returned. Leaving the
    context without it leaves nothing.
    """

    def __init__(
        self, folder: str, models: int = MODELS_A_PACK, *, address: str | None = None
    ) -> None:
        self._folder = folder.rstrip("/")
        self._address = address or f"{PREFIX}{self._folder}"
        self._models = models
        self._unsealed: list[_Pack] = []

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for pack in self._unsealed:
            pack.file.discard()
        self._unsealed = []

    def append(
        self,
        payload: bytes,
        shared: Mapping[str, bytes],
        describe: Callable[[str], bytes],
        own: Mapping[str, bytes] = NO_FILES,
    ) -> str:
        """Add a model; returns its location.

        ``shared`` are text files that stand beside many models alike, stored once a pack; ``own``
        those of this model alone; ``describe`` makes the description (MLmodel) that belongs to a
        location.
        """
        pack = self._unsealed[-1] if self._unsealed else None
        if pack is None or pack.models >= self._models or pack.size >= _BYTES:
            if pack is not None:
                pack.file.end()
            pack = _Pack(self._folder, self._address)
            self._unsealed.append(pack)
        return pack.append(payload, shared, describe, own)

    def seal(self) -> None:
        """Make everything appended so far durable and visible, under its location."""
        while self._unsealed:
            self._unsealed[0].file.end()
            self._unsealed[0].file.publish()
            del self._unsealed[0]


class _Pack:
    """One pack being written."""

    def __init__(self, folder: str, address: str) -> None:
        name = f"{int(time.time() * 1000):012x}{secrets.token_hex(6)}{_SUFFIX}"
        self.file = PackTarget(f"{folder}/{name}")
        self._address = f"{address}/{name}"
        self.models = 0
        self.size = 0
        self._shared: dict[tuple[tuple[str, bytes], ...], tuple[int, int]] = {}
        self._write(MAGIC)

    def append(
        self,
        payload: bytes,
        shared: Mapping[str, bytes],
        describe: Callable[[str], bytes],
        own: Mapping[str, bytes],
    ) -> str:
        shared_offset, shared_length = self._share(shared)
        location = f"{self._address}/{self.size}"
        description = describe(location)
        if own:
            description += _OWN + _to_json(own)
        lengths = len(description), len(payload)
        digest = sha256(payload).digest()
        self._write(_ENTRY.pack(shared_offset, shared_length, *lengths, digest))
        self._write(description)
        self._write(payload)
        self.models += 1
        return location

    def _share(self, files: Mapping[str, bytes]) -> tuple[int, int]:
        key = tuple(files.items())
        if key not in self._shared:
            content = _to_json(files)
            self._shared[key] = self.size, len(content)
            self._write(content)
        return self._shared[key]

    def _write(self, content: bytes) -> None:
        self.file.stream.write(content)
        self.size += len(content)


def read_payload(location: str) -> bytes:
    """Payload of the model at ``location``: exactly as written, so not checked against a registry.

    Raises:
        OSError: when the pack cannot be read, or holds no such model.
    """
    return _read(location, with_files=False)[0]


def read_files(
    location: str, payload_file: str, description_file: str, *, is_checked: bool = True
) -> dict[str, bytes]:
    """Every file of the model at ``location``, the payload and the description under these names.

    Whoever knows the payload's SHA-256 from a registry leaves away the check against the pack's.

    Raises:
        OSError: when the pack cannot be read, holds no such model, or its bytes were damaged.
    """
    payload, files = _read(location, with_files=True, is_checked=is_checked)
    return {payload_file: payload, description_file: files.pop(""), **files}


def _read(
    location: str, *, with_files: bool, is_checked: bool = False
) -> tuple[bytes, dict[str, bytes]]:
    uri, offset = split_location(location)
    with PackSource(uri) as source:
        start = source.read(offset, _FIRST_READ)
        try:
            header = _ENTRY.unpack_from(start)
        except struct.error:
            raise PackFormatError(f"{location}: the pack ends before this model") from None
        shared_offset, shared_length, description_length, payload_length, digest = header
        begin = _ENTRY.size + description_length
        end = begin + payload_length
        if end > source.size:
            raise PackFormatError(f"{location}: no model begins at this offset")
        if end > len(start):
            start += source.read(offset + len(start), end - len(start))
        payload = start[begin:end]
        if not with_files:
            return payload, {}
        if is_checked and (found := sha256(payload)).digest() != digest:
            raise PackFormatError(
                f"{location}: the payload of this model was damaged: it has SHA-256 "
                f"{found.hexdigest()}, and {digest.hex()} was written"
            )
        try:
            shared = json.loads(source.read(shared_offset, shared_length))
            description, _, own = start[_ENTRY.size : begin].partition(_OWN)
            texts = shared | (json.loads(own) if own else {})
        except ValueError:
            raise PackFormatError(f"{location}: the files that describe it were damaged") from None
    files = {name: text.encode() for name, text in texts.items()}
    return payload, {"": description, **files}


def _to_json(files: Mapping[str, bytes]) -> bytes:
    return json.dumps({name: text.decode() for name, text in files.items()}).encode()
