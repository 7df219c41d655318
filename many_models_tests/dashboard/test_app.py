"""Every page says what is in the store, whatever the keys hold; what is wrong is a sentence."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from many_models.adapters.lake.tables import Lake
from many_models.adapters.results.store import ResultStore
from many_models.core.keys import partition_of_value
from many_models.core.results_links import Links
from many_models.dashboard.app import create_app
from many_models.dashboard.site import Site
from many_models.steps.results import open_results
from many_models_tests.adapters.serving.running import Client, Reply, running
from many_models_tests.dashboard.conftest import make_site
from many_models_tests.dashboard.small_store import (
    HOSTILE,
    USE_CASE,
    SmallStore,
    make_flights_store,
)
from many_models_tests.fakes import make_use_case

LINKS = Links("sales")
PAGES = {
    "/": "sales",
    LINKS.overview: "How good are the models?",
    LINKS.page("partitions"): "Partitions",
    LINKS.partition("s1"): "How good are its models?",
    LINKS.page("groups"): "1 to 7 of 7",
    LINKS.group("store=s1,item=milk"): "History and forecast",
    LINKS.page("candidates"): "Which models win?",
    LINKS.page("attention"): "What needs attention",
    LINKS.page("inventory"): "to order now",
    LINKS.page("data"): "forecast_vs_actual",
}


def text_of(reply: Reply) -> str:
    shown = re.sub(r"<script.*?</script>", " ", reply.body.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown)).split())


def links_in(reply: Reply) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'href="([^"]+)"', reply.body.decode())]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens(client: Client, path: str) -> None:
    reply = client.get(path)
    assert reply.status == 200
    assert PAGES[path] in text_of(reply)
    assert b"<script>alert" not in reply.body
    assert b"<b>two</b>" not in reply.body


def test_every_link_leads_somewhere(client: Client) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.startswith("/") or "/data/" in path:
            continue
        seen.add(path)
        reply = client.get(path)
        assert reply.status == 200, path
        if path.count("?") < 2:
            waiting += [link for link in links_in(reply) if "order=" not in link]
    assert {LINKS.group(f"store=s1,item={item}") for item in ("milk", "eggs", "young")} < seen
    assert LINKS.partition(partition_of_value(HOSTILE)) in {
        link for link in seen if "partition?" in link
    }
    assert len(seen) > 20


@pytest.mark.parametrize("order", ["key", "skill", "score", "observations", "; DROP TABLE x"])
def test_groups_are_sorted_by_what_is_asked(client: Client, order: str) -> None:
    reply = client.get(LINKS.page("groups", order=order))
    keys = [link for link in links_in(reply) if "/group?" in link]
    assert reply.status == 200
    assert len(keys) == 7
    if order == "observations":
        assert [key[-5:] for key in keys[-2:]] == ["young", "young"]


def test_partitions_are_sorted_by_what_is_asked(client: Client) -> None:
    for order in ("name", "groups", "trained", "failed", "skill", "trained_at", "x; DROP TABLE y"):
        reply = client.get(LINKS.page("partitions", order=order))
        assert reply.status == 200
        assert len([link for link in links_in(reply) if "/partition?" in link]) == 2


@pytest.mark.parametrize(
    ("words", "found"),
    [("MILK", 1), ("s1 eggs", 1), ("young", 2), ("%", 4), ("_", 0), ("nothing", 0), ("🍎", 3)],
)
def test_words_may_stand_anywhere_in_a_key(client: Client, words: str, found: int) -> None:
    reply = client.get(f"/sales/groups?q={quote(words)}")
    assert len([link for link in links_in(reply) if "/group?" in link]) == found


def test_filters_come_together(client: Client) -> None:
    path = LINKS.page("groups", partition="s1", status="skipped")
    keys = [link for link in links_in(client.get(path)) if "/group?" in link]
    assert keys == [LINKS.group("store=s1,item=young")]


def test_inventory_is_sorted_by_what_is_asked(client: Client) -> None:
    for order in ("order", "key", "reorder_point", "demand", "on_hand", "x; DROP TABLE y"):
        assert client.get(LINKS.page("inventory", order=order)).status == 200


def test_a_page_past_the_end_is_empty(client: Client) -> None:
    assert client.get(LINKS.page("groups", page=99)).status == 200


def test_a_group_page_tells_what_served_it_and_why(client: Client, small_store: SmallStore) -> None:
    own = text_of(client.get(LINKS.group("store=s1,item=milk")))
    assert "Served by its own model" in own
    assert "last from 2024-04-29" in own
    tea = next(key for key in small_store.keys if key.endswith("item=tea"))
    assert "Served by the baseline, because" in text_of(client.get(LINKS.group(tea)))
    young = text_of(client.get(LINKS.group("store=s1,item=young")))
    assert "skipped" in young
    assert "too few observations" in young


def test_a_chart_has_history_backtest_earlier_forecasts_and_the_last(client: Client) -> None:
    body = client.get(LINKS.group("store=s1,item=milk")).body.decode()
    for series in ("actual", "backtest", "earlier forecasts", "forecast"):
        assert f'\\"series\\":\\"{series}\\"' in body


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_independent_rows_have_pages_too(problem: str, tmp_path: Path) -> None:
    store, links = make_flights_store(tmp_path, problem), Links("flights")
    with running(create_app(make_site(store))) as client:
        for name in ("partitions", "groups", "candidates", "attention", "data"):
            assert client.get(links.page(name)).status == 200, name
        assert client.get(links.partition("EWR")).status == 200
        assert "median skill" in text_of(client.get(links.overview))
        reply = client.get(links.group("origin_airport=EWR,dest=ATL"))
    assert reply.status == 200
    assert "Served by its own model" in text_of(reply)
    body = reply.body.decode()
    shown = "probability" if problem == "classification" else "value"
    assert f'\\"{shown}\\":' in body
    assert ('\\"series\\":\\"forecast\\"' in body) == (problem == "regression")
    assert '\\"series\\":\\"actual\\"' not in body


def test_a_group_is_shown_without_the_lake(small_store: SmallStore, tmp_path: Path) -> None:
    store = ResultStore(f"sqlite:///{small_store.folder}/results.db")
    with running(create_app(Site(store, Lake(str(tmp_path / "away"))))) as client:
        reply = client.get(LINKS.group("store=s1,item=milk"))
    assert reply.status == 200
    assert "the lake cannot be read" in text_of(reply)
    assert '\\"series\\":\\"forecast\\"' in reply.body.decode()


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nothing", 404, "There is no use case 'nothing' here; there are: sales"),
        (LINKS.group("store=s1"), 404, "write store=...,item=..."),
        (LINKS.group("store=s1,item=none"), 404, "no run of sales has met the group"),
        (LINKS.partition("s9"), 404, "sales has no partition 's9'"),
        (LINKS.page("attention", kind="x"), 404, "there is no concern 'x'; there are: failed"),
        ("/sales/groups?page=-1", 400, "page"),
        ("/sales/groups?q=a%00b", 400, "q"),
        ("/sales/partition?name=%00", 400, "name"),
        ("/sales/group?key=%00", 400, "key"),
        ("/sales/data/predictions.csv?partition=%00", 400, "partition"),
        ("/sales/nothing", 404, "There is no such page."),
        ("/-/secrets", 404, "There is no such page."),
        ("/sales/group", 400, "key"),
    ],
)
def test_what_is_wrong_is_a_sentence(client: Client, path: str, status: int, says: str) -> None:
    reply = client.get(path)
    assert reply.status == status
    assert says in text_of(reply)
    assert "Traceback" not in reply.body.decode()


def test_inventory_shows_what_to_order_first(client: Client) -> None:
    text = text_of(client.get(LINKS.page("inventory")))
    assert "to order now 7 of 7 groups" in text
    reply = client.get(LINKS.page("inventory", partition="s1", order="safety_stock"))
    keys = [link for link in links_in(reply) if "/group?" in link]
    assert len(keys) == 4
    assert "Order " in text_of(client.get(LINKS.group("store=s1,item=milk")))


def test_a_use_case_without_inventory_says_how_to_get_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    open_results(url, make_use_case())
    with running(create_app(Site(ResultStore(url), Lake(str(tmp_path / "lake"))))) as client:
        reply = client.get(LINKS.page("inventory"))
        assert "/inventory" not in client.get(LINKS.overview).body.decode()
    assert (reply.status, "Give it a section `inventory`" in text_of(reply)) == (404, True)


def test_an_empty_store_says_what_to_run(empty_client: Client) -> None:
    reply = empty_client.get("/")
    assert reply.status == 200
    assert "many-models demo" in text_of(reply)


def test_a_use_case_that_was_not_run_says_what_to_run(tmp_path: Path) -> None:
    site = Site(
        ResultStore(f"sqlite:///{tmp_path}/results.db"),
        Lake(str(tmp_path / "lake")),
        make_use_case(name="later"),
    )
    with running(create_app(site)) as client:
        for path in ("/", "/later", "/later/groups", "/later/group?key=store=1,item=2"):
            reply = client.get(path)
            assert reply.status == 200, path
            assert "many-models run later" in text_of(reply)


def test_tables_of_another_version_are_to_be_upgraded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/results.db"
    open_results(url, make_use_case(features={"static": ["region"]}))
    site = Site(ResultStore(url), Lake(str(tmp_path / "lake")), make_use_case())
    with running(create_app(site)) as client:
        assert "many-models store upgrade" in text_of(client.get("/sales"))


def test_a_store_that_is_away_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "results.db").write_text("this is no database, but it is long enough " * 99)
    site = Site(
        ResultStore(f"sqlite:///{tmp_path}/results.db"), Lake(str(tmp_path / "lake")), USE_CASE
    )
    with running(create_app(site)) as client:
        reply = client.get("/sales")
    assert reply.status == 503
    assert "results.db" in text_of(reply)


def test_histories_follow_a_use_case_that_has_changed(small_store: SmallStore) -> None:
    site = make_site(small_store)
    before = site.histories(USE_CASE)
    changed = USE_CASE.model_copy(update={"target": "turnover"})
    assert site.histories(USE_CASE) is before
    assert site.histories(changed) is not before


def test_own_files_are_kept_by_browsers(client: Client) -> None:
    for name in ("results.css", "draw.js", "vega.js"):
        reply = client.get(f"/-/{name}")
        assert reply.status == 200
        again = client.get(f"/-/{name}", {"If-None-Match": reply.headers["etag"]})
        assert (again.status, again.body) == (304, b"")


def test_pages_may_lie_below_a_path_of_a_proxy(small_store: SmallStore) -> None:
    store = ResultStore(f"sqlite:///{small_store.folder}/results.db")
    with running(create_app(Site(store, small_store.lake), root="/results")) as client:
        links = links_in(client.get("/sales"))
    assert all(link.startswith(("/results/", "#", "data:")) for link in links), links
