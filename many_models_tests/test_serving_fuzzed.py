"""The service under requests that nobody would think of: none ends in an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import hypothesis.strategies as st
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from many_models.adapters.serving.app import Limits, create_app
from many_models.steps.online_service import OnlineService
from many_models_tests.adapters.serving.running import Client, running
from many_models_tests.steps.test_online import DATES, make_scorer

EXAMPLES = 60
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    service = OnlineService(make_scorer(tmp_path_factory.mktemp("packs")))
    app = create_app(service, title="sales", keys=(), limits=Limits(body_bytes=20_000, rows=50))
    with running(app) as found:
        yield found


OPERATIONS = [
    ("POST", "/invocations"),
    ("GET", "/models"),
    ("GET", "/models/{key}"),
    ("GET", "/ping"),
    ("GET", "/health"),
    ("GET", "/version"),
    ("GET", "/metrics"),
]


def test_every_operation_of_the_description_is_fuzzed(client: Client) -> None:
    paths = client.get("/openapi.json").json["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert sorted(found) == sorted(OPERATIONS)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_that_the_description_allows_or_forbids_ends_in_an_error_of_ours(
    client: Client, method: str, path: str, mode: GenerationMode
) -> None:
    described = schemathesis.openapi.from_url(f"http://127.0.0.1:{client.port}/openapi.json")
    asked = 0

    @given(case=described[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=QUIET)
    def ask(case: schemathesis.Case[Any]) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(checks=[not_a_server_error])

    with suppress(Unsatisfiable):  # there may be nothing to forbid
        ask()
    assert asked or mode is GenerationMode.NEGATIVE


odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
near = st.sampled_from(["1", "a", "b", "c", *DATES, "2024-02-30", "1e400", "\ud800", 1, 10**400])
values = st.one_of(near, odd, st.lists(odd, max_size=2), st.dictionaries(st.text(), odd))
rows = st.fixed_dictionaries(
    {"store": st.just("1") | values, "item": st.sampled_from("abc") | values},
    optional={"date": st.sampled_from(DATES) | values, "price": values},
)


@given(st.lists(rows, min_size=1, max_size=6))
@settings(max_examples=5 * EXAMPLES, deadline=None, derandomize=True, suppress_health_check=QUIET)
def test_each_row_of_odd_values_has_an_answer_or_the_request_is_refused(
    client: Client, records: list[dict[str, Any]]
) -> None:
    reply = client.predict({"dataframe_records": records})
    assert reply.status in (200, 400, 404), reply.body
    if reply.status == 200:
        assert len(reply.json["predictions"]) == len(records)
    else:
        assert {"error_code", "message"} <= reply.json.keys()
        assert "Traceback" not in reply.json["message"]
