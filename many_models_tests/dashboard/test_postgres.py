"""The same pages and files on PostgreSQL."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow.parquet
import pytest

from many_models.core.keys import partition_of_value
from many_models.core.results_links import Links
from many_models.dashboard.app import create_app
from many_models.steps.exports import exported
from many_models.steps.pages.attention import CONCERNS
from many_models_tests.adapters.serving.running import running
from many_models_tests.conftest import PostgresServer
from many_models_tests.dashboard.conftest import make_site
from many_models_tests.dashboard.small_store import HOSTILE, SmallStore, make_small_store
from many_models_tests.dashboard.test_app import PAGES, text_of

pytestmark = pytest.mark.postgres

LINKS = Links("sales")


@pytest.fixture(scope="module")
def other(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallStore]:
    """What the small store holds, in a database of its own."""
    postgres_server.execute("CREATE DATABASE pages")
    yield make_small_store(tmp_path_factory.mktemp("other"), postgres_server.url("pages"))
    postgres_server.execute("DROP DATABASE pages WITH (FORCE)")


def test_pages_tell_the_same_on_both_databases(small_store: SmallStore, other: SmallStore) -> None:
    paths = [
        *PAGES,
        *(LINKS.page("groups", order=order) for order in ("skill", "score", "observations")),
        *(LINKS.page("partitions", order=order) for order in ("name", "skill", "trained_at")),
        *(LINKS.page("attention", kind=kind, partition="s1") for kind in CONCERNS),
        *(LINKS.page("inventory", order=order) for order in ("order", "safety_stock", "on_hand")),
        LINKS.page("groups", q="🍎 %2", partition=partition_of_value(HOSTILE)),
        *(LINKS.group(key) for key in small_store.keys),
    ]
    with (
        running(create_app(make_site(small_store))) as sqlite,
        running(create_app(make_site(other))) as postgres,
    ):
        for path in paths:
            first, second = sqlite.get(path), postgres.get(path)
            assert (first.status, second.status) == (200, 200), path
            assert _told(text_of(first)) == _told(text_of(second)), path


def test_files_hold_the_same_on_both_databases(small_store: SmallStore, other: SmallStore) -> None:
    timed = ("ledger", "latest_ledger", "stages", "ledger_summary", "cost", "ledger_totals")
    names = [one.suffix for one in exported(small_store.results)]
    with (
        running(create_app(make_site(small_store))) as sqlite,
        running(create_app(make_site(other))) as postgres,
    ):
        for name in names:
            path = LINKS.export(name, "parquet")
            first, second = (
                pyarrow.parquet.read_table(io.BytesIO(client.get(path).body))
                for client in (sqlite, postgres)
            )
            assert first.schema == second.schema, name
            assert first.num_rows == second.num_rows, name
            if name not in timed:  # these hold how long training took
                assert _sorted(first.to_pylist()) == _sorted(second.to_pylist()), name


def _told(text: str) -> list[str]:
    """Words without durations, which differ from run to run."""
    words = text.split()
    return [
        w for w, after in zip(words, [*words[1:], ""], strict=True) if after != "s" and w != "s"
    ]


def _sorted(rows: list[dict[str, object]]) -> list[str]:
    """Rows as text, with numbers to nine digits: sums differ by the order of their parts."""

    def plain(value: object) -> object:
        return f"{value:.9g}" if isinstance(value, float) else value

    return sorted(str({name: plain(value) for name, value in row.items()}) for row in rows)
