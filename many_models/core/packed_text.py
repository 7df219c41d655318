"""Long texts in few characters: a sensor's cursor is shown on its page, above all of its ticks."""

from __future__ import annotations

import base64
import zlib

SHORT = 600  # characters, about five lines of the page, that can be read as they are
MARK = "zlib:"


def pack_text(text: str) -> str:
    """``text`` where it is short, else the mark and its compressed form: lines of ASCII.

    In one line it would make the page as wide as itself.
    """
    if len(text) <= SHORT:
        return text
    return MARK + base64.encodebytes(zlib.compress(text.encode(), level=9)).decode()


def unpack_text(packed: str | None) -> str | None:
    """What ``pack_text`` was given, None where that cannot be told."""
    if packed is None or not packed.startswith(MARK):
        return packed
    try:
        return zlib.decompress(base64.b64decode(packed.removeprefix(MARK))).decode()
    except (ValueError, zlib.error):
        return None
