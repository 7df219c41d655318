"""Around every request: who may read, and what a browser may do with a page.

A page loads nothing from elsewhere and runs no script but ours; nobody may frame it. Passwords are
compared in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN_PATHS = ("/-/health",)
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_ENCODED = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Access:
    """ASGI middleware; without a ``password`` everybody may read. Users' names do not matter."""

    def __init__(self, app: App, *, password: str | None) -> None:
        self._app = app
        self._digest = sha256(password.encode()).digest() if password else None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message.get("headers", [])}
                added = [pair for pair in _ENCODED if pair[0] not in given]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        if self._admits(scope):
            await self._app(scope, receive, guarded)
        else:
            await _ask_for_password(guarded)

    def _admits(self, scope: Message) -> bool:
        if self._digest is None or scope["path"] in OPEN_PATHS:
            return True
        header = next((v for n, v in scope["headers"] if n == b"authorization"), b"")
        given = sha256(_password_in(header.decode("latin-1"))).digest()
        return hmac.compare_digest(given, self._digest)


def _password_in(header: str) -> bytes:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


async def _ask_for_password(send: Send) -> None:
    body = b"These results are for those who know the password: MANY_MODELS_RESULTS_PASSWORD.\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"www-authenticate", b'Basic realm="Many Models results", charset="UTF-8"'),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
