"""The pages in a real browser: drawn, without an error, linked, searched, downloaded."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from playwright.sync_api import Browser

from many_models.core.keys import partition_of_value
from many_models.core.results_links import Links
from many_models_tests.adapters.serving.running import Client
from many_models_tests.browser import HEIGHT, WIDTH, Watched, running_browser
from many_models_tests.dashboard.small_store import HOSTILE, SmallStore

pytestmark = pytest.mark.browser

LINKS = Links("sales")
TILES = "figure.chart svg .mark-rect path"
HOSTILE_PARTITION = partition_of_value(HOSTILE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A page of a fresh browser; whatever it complains of in the end fails the test."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    found = Watched(context.new_page())
    yield found
    context.close()
    assert found.problems == []


@pytest.fixture
def site(client: Client) -> str:
    return f"http://127.0.0.1:{client.port}"


@pytest.mark.parametrize(
    ("path", "charts"),
    [
        ("/", 0),
        (LINKS.overview, 4),
        (LINKS.page("partitions"), 1),
        (LINKS.partition("s1"), 1),
        (LINKS.partition(HOSTILE_PARTITION), 1),
        (LINKS.page("groups"), 0),
        (LINKS.group("store=s1,item=milk"), 2),
        (LINKS.page("candidates"), 1),
        (LINKS.page("attention"), 0),
        (LINKS.page("inventory"), 0),
        (LINKS.page("data"), 0),
    ],
)
def test_every_page_is_drawn_without_an_error(
    watched: Watched, site: str, path: str, charts: int
) -> None:
    watched.open(site + path)
    assert watched.charts() == ["drawn"] * charts
    wide = watched.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0


def test_a_key_of_any_characters_is_found_opened_and_drawn(
    watched: Watched, site: str, small_store: SmallStore
) -> None:
    watched.open(site + LINKS.overview)
    watched.page.get_by_role("searchbox").fill("<script>")
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url("**/groups?*")
    watched.wait()
    assert watched.page.locator("td.key a").count() == 3
    watched.page.locator("td.key a").first.click()
    watched.page.wait_for_url("**/group?*")
    watched.wait()
    assert watched.charts() == ["drawn"] * 2
    assert watched.page.locator("h1").inner_text().count(HOSTILE) == 2


def test_a_tile_of_the_map_opens_its_partition(watched: Watched, site: str) -> None:
    watched.open(site + LINKS.page("partitions"))
    watched.page.locator(TILES).first.click()
    watched.page.wait_for_url("**/partition?*")
    assert watched.page.locator("h1").inner_text() in ("s1", HOSTILE_PARTITION)


def test_pointing_at_a_chart_tells_its_values(watched: Watched, site: str) -> None:
    watched.open(site + LINKS.page("partitions"))
    watched.page.locator(TILES).first.hover()
    watched.page.wait_for_selector("#vg-tooltip-element.visible")
    assert "groups" in watched.page.locator("#vg-tooltip-element").inner_text()


def test_a_slice_is_downloaded_in_both_formats(
    watched: Watched, site: str, small_store: SmallStore
) -> None:
    watched.open(site + LINKS.partition(HOSTILE_PARTITION))
    tables = {}
    for title in ("CSV", "Parquet"):
        with watched.page.expect_download() as waiting:
            watched.page.get_by_role("link", name=title).click()
        content = waiting.value.path().read_bytes()
        tables[title] = (
            pyarrow.csv.read_csv(io.BytesIO(content))
            if title == "CSV"
            else pyarrow.parquet.read_table(pa.BufferReader(content))
        )
        assert waiting.value.suggested_filename.endswith(title.lower())
    stored = small_store.results.store.query(
        'SELECT * FROM "sales_groups" WHERE "partition" = :p', {"p": HOSTILE_PARTITION}
    )
    assert tables["Parquet"].sort_by("group_key").equals(stored.sort_by("group_key"))
    assert tables["CSV"]["item"].to_pylist() == [
        f"'{item}" if item.startswith("=") else item for item in stored["item"].to_pylist()
    ]


def test_a_telephone_shows_a_page_without_scrolling_sideways(browser: Browser, site: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    narrow = Watched(context.new_page())
    lists = ("partitions", "groups", "candidates", "attention", "inventory", "data")
    pages = [LINKS.overview, LINKS.group("store=s1,item=milk"), *(LINKS.page(p) for p in lists)]
    for path in pages:
        narrow.open(site + path)
        assert narrow.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert narrow.problems == []
    context.close()
