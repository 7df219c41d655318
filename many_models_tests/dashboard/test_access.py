"""Who may read, and what a browser may do with a page."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from many_models.dashboard.app import LOOPBACK, create_app
from many_models_tests.adapters.serving.running import Client, running
from many_models_tests.dashboard.conftest import make_site
from many_models_tests.dashboard.small_store import SmallStore

PASSWORD = "pass:wörd"


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.fixture(scope="module")
def guarded(small_store: SmallStore) -> Iterator[Client]:
    app = create_app(make_site(small_store), password=PASSWORD)
    with running(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/sales", "/sales/data/groups.csv", "/-/vega.js", "/no"])
def test_nothing_is_shown_without_the_password(guarded: Client, path: str) -> None:
    reply = guarded.get(path)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Basic ")
    assert b"milk" not in reply.body


@pytest.mark.parametrize(
    "headers",
    [
        basic("me:"),
        basic("me:wrong"),
        basic(PASSWORD),
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic"},
        {"Authorization": f"Bearer {PASSWORD.encode().hex()}"},
    ],
)
def test_a_wrong_password_opens_nothing(guarded: Client, headers: dict[str, str]) -> None:
    assert guarded.get("/sales", headers).status == 401


@pytest.mark.parametrize("user", ["", "me", "any one"])
def test_the_password_opens_every_page_whoever_types_it(guarded: Client, user: str) -> None:
    assert guarded.get("/sales", basic(f"{user}:{PASSWORD}")).status == 200


def test_health_is_for_everybody(guarded: Client) -> None:
    assert guarded.get("/-/health").status == 200


@pytest.mark.parametrize("path", ["/", "/no", "/sales/data/groups.csv", "/-/draw.js"])
def test_pages_load_nothing_from_elsewhere_and_cannot_be_framed(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_on_loopback_another_sites_name_reads_nothing(small_store: SmallStore) -> None:
    with running(create_app(make_site(small_store), hosts=LOOPBACK)) as client:
        assert client.get("/sales", {"Host": "evil.example"}).status == 400
        assert client.get("/sales", {"Host": f"localhost:{client.port}"}).status == 200
