from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from many_models.adapters.registry.champion_feed import EmptyFeed, ListedFeed, SqlFeed, open_feed
from many_models.adapters.registry.connection import open_client
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.champion_index import ChampionChanges, ChampionIndex
from many_models.core.errors import RegistryError
from many_models_tests.adapters.registry.test_mlflow_registry import register
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow


@dataclass
class Follower:
    """Keeps an index by a feed, as a service does."""

    registry: ReadableRegistry
    index: ChampionIndex = field(default_factory=ChampionIndex)

    def __post_init__(self) -> None:
        self.feed = open_feed(self.registry, "grocery")

    def look(self) -> ChampionChanges:
        changes = self.feed.poll(self.index.versions)
        self.index = self.index.with_changes(changes)
        return changes


def make_champions(registry: MlflowRegistry, value: float, *names: str, **tags: str) -> None:
    records = [constant_record(n, value, partition_key=f"item={n}", **tags) for n in names]
    register(registry, records, alias="champion")


def check_follows(registry: MlflowRegistry) -> None:
    make_champions(registry, 1.0, "a", "b", "c")
    make_champions(registry, 1.0, "other", use_case="fuel")
    register(registry, [constant_record("pooled", partition="q")], alias="champion")
    register(registry, [constant_record("d")])  # is no champion
    follower = Follower(registry)
    follower.look()

    assert follower.index.versions == {"a": 1, "b": 1, "c": 1, "pooled": 1}
    assert sorted(follower.index.by_key) == ["item=a", "item=b", "item=c"]
    assert follower.index.pooled["q"].name == "pooled"
    version = registry.champion("a")
    assert version is not None
    found = follower.index.by_key["item=a"]
    assert (found.location, found.sha256) == (version.location, version.tags["payload_sha256"])
    assert found.partition == "17"
    assert not follower.look()

    make_champions(registry, 2.0, "b", "e")
    client = open_client(registry.uri)
    client.delete_registered_model_alias("c", "champion")
    changes = follower.look()
    assert [c.name for c in sorted(changes.changed, key=lambda c: c.name)] == ["b", "e"]
    assert changes.gone == ("c",)
    assert follower.index.versions == {"a": 1, "b": 2, "e": 1, "pooled": 1}

    client.set_registered_model_alias("b", "champion", "1")  # as a rollback does
    follower.look()
    assert follower.index.by_key["item=b"].version == 1
    assert not follower.look()


def test_an_index_follows_promotions_and_rollbacks(registry: MlflowRegistry) -> None:
    check_follows(registry)


@pytest.mark.postgres
def test_an_index_follows_a_registry_in_postgresql(postgres_url: str, tmp_path: Path) -> None:
    registry = MlflowRegistry(postgres_url, str(tmp_path), "production")
    check_follows(registry)
    assert isinstance(open_feed(registry, "grocery"), SqlFeed)


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_database_is_asked_directly_and_else_all_champions_are_listed(
    registry: MlflowRegistry,
) -> None:
    make_champions(registry, 1.0, "a")
    assert isinstance(open_feed(registry, "grocery"), SqlFeed)
    through_calls = ReadableRegistry(registry.uri, "training", allow_bulk=False)
    assert isinstance(open_feed(through_calls, "grocery"), ListedFeed)


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_database_that_goes_away_is_an_error_until_a_new_feed_is_opened(
    registry: MlflowRegistry, tmp_path: Path
) -> None:
    make_champions(registry, 1.0, "a")
    follower = Follower(ReadableRegistry(registry.uri, "training"))
    follower.look()
    path = Path(registry.uri.removeprefix("sqlite:///"))
    path.rename(tmp_path / "away.db")
    with pytest.raises(RegistryError, match="gone"):
        follower.look()
    shutil.copy(tmp_path / "away.db", path)  # restored from a copy, it is another file
    with pytest.raises(RegistryError, match="replaced"):
        follower.look()
    assert not Follower(ReadableRegistry(registry.uri, "training"), follower.index).look()


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_registry_that_nobody_has_written_to_has_no_champions_yet(
    registry: MlflowRegistry, tmp_path: Path
) -> None:
    later = tmp_path / "later.db"
    follower = Follower(ReadableRegistry(f"sqlite:///{later}", "training"))
    assert isinstance(follower.feed, EmptyFeed)
    assert not follower.look()
    make_champions(registry, 1.0, "a")
    shutil.copy(registry.uri.removeprefix("sqlite:///"), later)
    with pytest.raises(RegistryError, match="set up meanwhile"):
        follower.look()
