"""Around every request: whether it may pass, how long it took, and no error without an answer."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from many_models.adapters.serving.access import ApiKeys

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PATHS = ("/invocations", "/models", "/ping", "/health", "/version", "/metrics")


class Guard:
    """ASGI middleware; ``keys`` is None where everybody may ask. ``count`` gets each answer."""

    def __init__(
        self,
        app: Callable[[Message, Receive, Send], Awaitable[None]],
        *,
        keys: ApiKeys | None,
        count: Callable[[str, int, float], None],
    ) -> None:
        self._app = app
        self._keys = keys
        self._count = count

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self._admits(scope):
                await self._app(scope, receive, watch)
            else:
                await _answer(watch, 401, "UNAUTHENTICATED", "the API key is missing or wrong")
        except Exception:
            logger.exception("a request to %s failed", scope["path"])
            if not status:
                await _answer(watch, 500, "INTERNAL_ERROR", "the service failed; its log says why")
        finally:
            self._count(_named(scope["path"]), status, time.perf_counter() - started)

    def _admits(self, scope: Message) -> bool:
        if self._keys is None:
            return True
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        return self._keys.admit(scope["path"], headers)


def _named(path: str) -> str:
    """The path as metrics name it: few, whatever clients ask for."""
    return next(
        (known for known in _PATHS if path == known or path.startswith(f"{known}/")), "other"
    )


async def _answer(send: Send, status: int, code: str, message: str) -> None:
    body = json.dumps({"error_code": code, "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
