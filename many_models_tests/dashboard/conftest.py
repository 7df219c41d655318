"""Pages on a small store, each test module with a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from many_models.adapters.results.store import ResultStore
from many_models.dashboard.app import create_app
from many_models.dashboard.site import Site
from many_models_tests.adapters.serving.running import Client, running
from many_models_tests.dashboard.small_store import SmallStore, make_small_store


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    return make_small_store(tmp_path_factory.mktemp("small"))


def make_site(store: SmallStore) -> Site:
    return Site(ResultStore(store.url), store.lake)


@pytest.fixture(scope="module")
def client(small_store: SmallStore) -> Iterator[Client]:
    with running(create_app(make_site(small_store))) as found:
        yield found


@pytest.fixture
def empty_client(tmp_path: Path) -> Iterator[Client]:
    from many_models.adapters.lake.tables import Lake

    site = Site(ResultStore(f"sqlite:///{tmp_path}/results.db"), Lake(str(tmp_path / "lake")))
    with running(create_app(site)) as found:
        yield found
