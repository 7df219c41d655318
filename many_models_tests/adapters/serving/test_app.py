from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from many_models import __version__
from many_models.adapters.serving.app import Limits, create_app
from many_models.adapters.serving.exposition import Figure
from many_models.core.errors import NotReadyError, RequestError
from many_models.core.failure import Problem
from many_models.core.online import Columns, Scored
from many_models_tests.adapters.serving.running import Client, running

ROW = {"inputs": {"item": ["a"]}}


class DoublingService:
    """Predicts twice the column ``x``, at once or when it may; nobody knows item ``?``."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.lives: list[str] = []
        self.status = "ok"

    def start(self) -> None:
        self.lives.append("started")

    def stop(self) -> None:
        self.lives.append("stopped")

    def score(self, columns: Columns) -> Scored:
        assert self.go_on.wait(20)
        if "item" not in columns:
            raise RequestError("column 'item' is missing")
        if columns["item"][0] == "early":
            raise NotReadyError("the registry has not answered yet")
        if columns["item"][0] == "crash":
            raise OSError("/secret/path")
        items, xs = columns["item"], columns.get("x", [1.0] * len(columns["item"]))
        scored = Scored([])
        for item, x in zip(items, xs, strict=True):
            known = item not in ("?", "late")
            scored.records.append({"item": item, "prediction": 2 * x if known else None})
            scored.sources["model" if known else "none"] += 1
            if not known:
                reason = "time_out_of_reach" if item == "late" else "no_champion"
                scored.unserved[f"item={item}"] = Problem(reason, f"nobody knows {item}")
        return scored

    def list_models(self, start: int, limit: int, partition: str | None) -> Mapping[str, Any]:
        return {"total": 1, "start": start, "models": [{"key": "item=a"}][:limit]}

    def find_model(self, key: str) -> Mapping[str, Any] | None:
        return {"key": key} if key == "item=a/b" else None

    def health(self) -> Mapping[str, Any]:
        return {"status": self.status}

    def figures(self) -> Sequence[Figure]:
        return [Figure("champions", "gauge", "Champions known.", 1)]


@pytest.fixture(scope="module")
def client() -> Any:
    app = create_app(DoublingService(), title="items", keys=(), limits=Limits(2_000, 20))
    with running(app) as found:
        yield found


def test_mlflows_own_client_pings_asks_and_reads_the_answer(client: Client) -> None:
    stock: Any = ScoringServerClient("127.0.0.1", client.port)  # type: ignore[no-untyped-call]
    stock.wait_server_ready(timeout=5)
    assert stock.get_version() == __version__
    rows = pd.DataFrame({"item": ["b", "a"], "x": [0.1, 1e300]})
    found = stock.invoke(rows).get_predictions()
    assert found.to_dict("records") == [
        {"item": "b", "prediction": 0.2},
        {"item": "a", "prediction": 2e300},
    ]


def test_a_request_is_served_when_any_of_its_rows_is(client: Client) -> None:
    reply = client.predict({"inputs": {"item": ["?", "a"]}})
    assert (reply.status, len(reply.json["predictions"])) == (200, 2)


@pytest.mark.parametrize(
    ("item", "status", "reason"),
    [("?", 404, "no_champion"), ("late", 400, "time_out_of_reach")],
)
def test_a_request_none_of_whose_rows_is_served_fails_and_says_why(
    client: Client, item: str, status: int, reason: str
) -> None:
    reply = client.predict({"inputs": {"item": [item]}})
    assert (reply.status, reply.json["reason"]) == (status, reason)
    assert reply.json["message"] == f"item={item}: nobody knows {item}"


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"{", 400, "no JSON"),
        ({"inputs": {"x": [1]}}, 400, "'item' is missing"),
        ({"inputs": {"item": ["a"] * 21}}, 400, "at most 20"),
        (b"x" * 2_001, 413, "2000 bytes"),
        ({"inputs": {"item": ["crash"]}}, 500, "the service failed"),
        ({"inputs": {"\ud800": ["a"]}}, 400, "missing"),
    ],
)
def test_errors_are_json_and_tell_nothing_that_only_a_log_may(
    client: Client, body: Any, status: int, text: str
) -> None:
    reply = client.predict(body)
    assert reply.status == status
    assert reply.json.keys() == {"error_code", "message"}
    assert text in reply.json["message"]
    assert b"secret" not in reply.body
    assert b"Traceback" not in reply.body


def test_who_comes_before_the_registry_is_told_to_come_again(client: Client) -> None:
    reply = client.predict({"inputs": {"item": ["early"]}})
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        head = "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall(b"7d1\r\n" + b"x" * 2_001 + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_other_content_than_json_is_refused(client: Client) -> None:
    reply = client.predict(b"item\na\n", {"Content-Type": "text/csv"})
    assert reply.status == 415
    assert "JSON" in reply.json["message"]


def test_models_are_listed_and_found_by_keys_of_any_characters(client: Client) -> None:
    assert client.get("/models?limit=1&start=0").json["models"] == [{"key": "item=a"}]
    assert client.get("/models/item=a%2Fb").json == {"key": "item=a/b"}
    assert client.get("/models/item=x").status == 404
    wrong = client.get("/models?limit=0")
    assert (wrong.status, wrong.json["error_code"]) == (422, "BAD_REQUEST")


def test_what_is_not_there_is_told_in_json_as_well(client: Client) -> None:
    assert client.get("/nothing").json["error_code"]
    assert client.get("/invocations").status == 405


def test_metrics_count_requests_and_rows_but_not_by_what_clients_make_up(client: Client) -> None:
    client.predict(ROW)
    client.get("/made/up")
    text = client.get("/metrics").body.decode()
    assert 'requests_total{path="/invocations",status="200"' in text
    assert 'requests_total{path="other",status="404"' in text
    assert 'rows_total{source="model"' in text
    assert "made/up" not in text


def test_the_description_names_every_address(client: Client) -> None:
    paths = client.get("/openapi.json").json["paths"]
    assert {"/invocations", "/models", "/models/{key}", "/ping", "/health"} <= paths.keys()
    assert "dataframe_split" in str(paths["/invocations"]["post"]["requestBody"])


def test_without_a_key_only_what_load_balancers_ask_is_answered() -> None:
    service = DoublingService()
    with running(create_app(service, title="items", keys=("secret", "next"))) as client:
        for path in ("/models", "/metrics", "/docs", "/openapi.json"):
            assert client.get(path).status == 401
        reply = client.predict(ROW)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert client.predict(ROW, {"Authorization": "Bearer next"}).status == 200
        assert client.get("/metrics", {"X-API-Key": "secret"}).status == 200
        assert [client.get(path).status for path in ("/ping", "/health", "/version")] == [200] * 3
        service.status = "starting"
        assert client.get("/health").status == 503
    assert service.lives == ["started", "stopped"]


def test_too_many_requests_at_once_are_told_to_come_again() -> None:
    service = DoublingService()
    limits = Limits(waiting=2, threads=1)
    with (
        running(create_app(service, title="items", keys=(), limits=limits)) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        service.go_on.clear()
        waiting = [pool.submit(client.predict, ROW) for _ in range(2)]
        while "requests_inside" not in (text := client.get("/metrics").body.decode()) or (
            not _is(text, "requests_inside", 2)
        ):
            time.sleep(0.005)
        reply = client.predict(ROW)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.json["error_code"] == "TEMPORARILY_UNAVAILABLE"
        assert client.get("/ping").status == 200
        service.go_on.set()
        assert [reply.result(20).status for reply in waiting] == [200, 200]


def test_what_takes_too_long_is_given_up() -> None:
    service = DoublingService()
    with running(
        create_app(service, title="items", keys=(), limits=Limits(seconds=0.05))
    ) as client:
        service.go_on.clear()
        assert client.predict(ROW).status == 504
        service.go_on.set()


def test_a_service_that_stops_ends_what_it_has_begun() -> None:
    service = DoublingService()
    service.go_on.clear()
    with (
        ThreadPoolExecutor(1) as pool,
        running(create_app(service, title="items", keys=())) as client,
    ):
        begun = pool.submit(client.predict, ROW)
        while not _is(client.get("/metrics").body.decode(), "requests_inside", 1):
            time.sleep(0.005)
        threading.Timer(0.1, service.go_on.set).start()
    assert begun.result().json["predictions"] == [{"item": "a", "prediction": 2.0}]


def _is(text: str, name: str, value: float) -> bool:
    line = next(n for n in text.splitlines() if n.startswith(f"many_models_{name}{{"))
    return float(line.rpartition(" ")[2]) == value
