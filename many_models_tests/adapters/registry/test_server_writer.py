from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from many_models.adapters.registry import server_writer
from many_models.adapters.registry.registration_stream import read_records, write_outcomes
from many_models.adapters.registry.server_writer import ServerWriter, ask_server
from many_models.core.errors import RegistryError
from many_models.core.registration import ModelRecord, ModelVersion, RegistrationFailure
from many_models_tests.fakes_models import ConstantModel, constant_record

pytestmark = pytest.mark.mlflow


@dataclass
class FakeServer:
    """Answers as a server with our app does, and remembers what it was sent."""

    url: str = ""
    status: int = 200
    offer: dict[str, Any] = field(
        default_factory=lambda: {"format": 2, "bulk": True, "reason": "yes", "request_bytes": 9_999}
    )
    requests: list[list[ModelRecord]] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)

    def answer(self, body: bytes) -> bytes:
        if self.status != 200:
            return json.dumps({"message": "no room"}).encode()
        if not body:
            return json.dumps(self.offer).encode()
        _, records = read_records(body, 1 << 30)
        self.requests.append(records)
        return write_outcomes([ModelVersion(r.name, 1, "run", "place", {}) for r in records])


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/api/2.0/many-models/registrations?experiment_id=7"
            fake.credentials.append(self.headers["Authorization"])
            answer = fake.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(fake.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815  # http.server asks for this name

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        fake.url = f"http://127.0.0.1:{http.server_port}"
        yield fake
        http.shutdown()


def write(
    server: FakeServer, records: list[ModelRecord], alias: str | None = None, limit: int = 1 << 20
) -> list[ModelVersion | RegistrationFailure]:
    return list(ServerWriter(server.url, "7", limit, None).write_all(records, alias))


def names(server: FakeServer) -> list[str]:
    return ["".join(record.name for record in records) for records in server.requests]


@pytest.mark.parametrize(
    ("alias", "requests"), [(None, ["ab", "cd", "ef", "g"]), ("champion", ["abcde", "fg"])]
)
def test_a_partition_that_gets_an_alias_is_sent_in_one_request(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, alias: str | None, requests: list[str]
) -> None:
    monkeypatch.setattr(server_writer, "CHUNK", 2)
    partitions = ["17"] * 5 + ["18"] * 2
    records = [constant_record(n, partition=p) for n, p in zip("abcdefg", partitions, strict=True)]

    outcomes = write(server, records, alias)

    assert names(server) == requests
    assert [outcome.name for outcome in outcomes] == list("abcdefg")


def test_large_models_are_sent_in_smaller_numbers(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_writer, "_BYTES", 1_000)
    payload = pickle.dumps(ConstantModel(1.0)).ljust(600, b"\0")
    records = [ModelRecord(name, payload, {}, {}, {}) for name in "abcd"]

    write(server, records)

    assert names(server) == ["ab", "cd"]


def test_more_than_the_server_takes_is_told_with_the_remedy(server: FakeServer) -> None:
    records = [constant_record(name) for name in "abc"]

    with pytest.raises(RegistryError, match=r"3 models of partition 17.*SERVER_REQUEST_MB"):
        write(server, records, "champion", limit=100)
    assert server.requests == []


def test_what_cannot_be_sent_is_refused_alone_and_in_its_place(server: FakeServer) -> None:
    records = [constant_record("a"), constant_record("b"), constant_record("c", note="\ud800")]
    records[1] = ModelRecord("b/", b"a pickle", {}, {}, {})

    first, second, third = write(server, records)

    assert names(server) == ["a"]
    assert isinstance(first, ModelVersion)
    assert isinstance(second, RegistrationFailure)
    assert "Invalid model name" in second.error
    assert isinstance(third, RegistrationFailure)
    assert "surrogate" in third.error


def test_models_bring_the_files_that_describe_them(server: FakeServer) -> None:
    write(server, [constant_record("a"), constant_record("b")])

    (records,) = server.requests
    assert {"MLmodel", "requirements.txt"} <= records[0].files.keys()
    assert records[0].files == records[1].files


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_a_failed_request_is_told_and_not_repeated(server: FakeServer, status: int) -> None:
    server.status = status

    with pytest.raises(RegistryError, match=rf"{status} \(no room\)"):
        write(server, [constant_record("a")])
    assert len(server.credentials) == 1


def test_credentials_are_those_of_mlflows_client(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")

    assert ask_server(server.url, "7").name == "server"
    assert server.credentials == ["Bearer secret"]


@pytest.mark.parametrize(
    ("status", "offer", "reason"),
    [
        (404, {}, "not started with our app"),
        (200, {"format": 1}, "format 1"),
        (200, {"bulk": False, "reason": "another schema"}, "another schema"),
    ],
)
def test_a_server_that_cannot_is_written_by_mlflows_client(
    server: FakeServer, status: int, offer: dict[str, Any], reason: str
) -> None:
    server.status = status
    server.offer.update(offer)

    choice = ask_server(server.url, "7")

    assert (choice.name, choice.request_bytes) == ("client", None)
    assert reason in choice.reason


def test_a_server_that_lets_nobody_in_is_told(server: FakeServer) -> None:
    server.status = 401

    with pytest.raises(RegistryError, match="401"):
        ask_server(server.url, "7")
