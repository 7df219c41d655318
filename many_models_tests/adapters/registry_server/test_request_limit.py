from __future__ import annotations

import asyncio
from typing import Any

import pytest

from many_models.adapters.registry.registration_stream import PATH
from many_models.adapters.registry_server.request_limit import RequestLimit

MEGABYTE = b"x" * (1 << 20)


class Server:
    """Plays an ASGI server with one request, and the app that answers it."""

    def __init__(self, path: str, chunks: list[bytes], headers: list[Any]) -> None:
        self.scope = {"type": "http", "path": path, "headers": headers}
        self.chunks = chunks
        self.sent: list[Any] = []
        self.received = b""

    async def receive(self) -> Any:
        body = self.chunks.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.chunks)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            self.received += message["body"]
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200})

    def status(self) -> int:
        asyncio.run(RequestLimit(self.app)(self.scope, self.receive, self.send))
        return int(self.sent[0]["status"])


@pytest.fixture(autouse=True)
def two_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANY_MODELS_SERVER_REQUEST_MB", "2")


@pytest.mark.parametrize("prefix", ["", "/behind/a/prefix"])
def test_a_request_within_the_limit_is_passed_on_whole(prefix: str) -> None:
    server = Server(prefix + PATH, [MEGABYTE, b"", MEGABYTE], [])

    assert server.status() == 200
    assert server.received == MEGABYTE * 2


def test_a_request_that_announces_too_much_is_not_read() -> None:
    server = Server(PATH, [MEGABYTE], [(b"content-length", b"2097153")])

    assert server.status() == 413
    assert server.chunks == [MEGABYTE]


def test_a_request_that_says_nothing_is_read_no_further_than_the_limit() -> None:
    server = Server(PATH, [MEGABYTE] * 9, [])

    assert server.status() == 413
    assert len(server.chunks) == 6
    assert server.received == b""


def test_other_requests_may_be_of_any_size() -> None:
    assert Server("/api/2.0/mlflow-artifacts/artifacts/a", [MEGABYTE] * 3, []).status() == 200
