from __future__ import annotations

import pytest

from many_models.adapters.serving.access import ApiKeys, read_keys

KEYS = ApiKeys(["old", "new"])


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ({"authorization": "Bearer old"}, True),
        ({"authorization": "bearer new"}, True),
        ({"x-api-key": "new"}, True),
        ({}, False),
        ({"authorization": "Bearer wrong"}, False),
        ({"authorization": "Bearer old2"}, False),
        ({"authorization": "Basic old"}, False),
        ({"x-api-key": ""}, False),
        ({"x-api-key": "ol"}, False),
    ],
)
def test_whoever_sends_one_of_the_keys_may_pass(headers: dict[str, str], admitted: bool) -> None:
    assert KEYS.admit("/invocations", headers) is admitted


@pytest.mark.parametrize("path", ["/ping", "/health", "/version"])
def test_what_load_balancers_ask_is_open(path: str) -> None:
    assert KEYS.admit(path, {})


def test_keys_are_separated_by_commas_and_an_empty_one_is_none() -> None:
    assert read_keys(" a, b ,,") == ("a", "b")
    assert read_keys(" , ") == ()
