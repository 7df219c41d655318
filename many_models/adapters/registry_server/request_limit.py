"""How much a request may bring along, and an end to what brings more before it is in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from many_models.adapters.registry.registration_stream import PATH

_MEGABYTES = 512

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def request_bytes() -> int:
    """The most that a registration may bring; ``MANY_MODELS_SERVER_REQUEST_MB`` sets it."""
    return int(os.environ.get("MANY_MODELS_SERVER_REQUEST_MB", _MEGABYTES)) << 20


class RequestLimit:
    """Around MLflow's ASGI app: passes everything on but too large registrations.

    MLflow's bridge to Flask reads a whole request into memory before anybody looks at it. So does
    this, but only as far as the limit.
    """

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith(PATH):
            await self._app(scope, receive, send)
            return
        read = await _read_all(receive, request_bytes(), dict(scope["headers"]))
        if read is None:
            await _refuse(send)
            return

        async def replay() -> Message:
            return read.pop(0) if read else await receive()

        await self._app(scope, replay, send)


async def _read_all(
    receive: Receive, limit: int, headers: dict[bytes, bytes]
) -> list[Message] | None:
    """The messages of a request, or None when their bodies exceed ``limit``."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit:
        return None
    messages = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > limit:
            return None
        if not message.get("more_body", False):
            return messages


async def _refuse(send: Send) -> None:
    text = f"a registration may take {request_bytes()} bytes: send the models in several"
    body = json.dumps({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
