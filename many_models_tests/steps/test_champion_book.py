from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from many_models.core.champion_index import ChampionChanges, IndexedChampion
from many_models.core.errors import NotReadyError, RegistryError
from many_models.steps.champion_book import ChampionBook, rest_after


@dataclass
class FakeRegistry:
    """Champions by key, and whether they can be read; counts the feeds that were opened."""

    time_share = 0.5

    champions: dict[str, int] = field(default_factory=dict)
    away: bool = False
    opened: int = 0
    polled: threading.Event = field(default_factory=threading.Event)

    def open(self) -> FakeRegistry:
        self.opened += 1
        return self

    def poll(self, known: Mapping[str, int]) -> ChampionChanges:
        self.polled.set()
        if self.away:
            raise RegistryError("nothing answers")
        new = {k: v for k, v in self.champions.items() if known.get(k) != v}
        return ChampionChanges(
            tuple(IndexedChampion(k, v, f"item={k}", "p", k, "ab") for k, v in new.items()),
            tuple(known.keys() - self.champions.keys()),
        )


def test_the_index_follows_the_registry() -> None:
    registry = FakeRegistry({"a": 1})
    book = ChampionBook(registry.open)
    assert book.refresh()
    registry.champions = {"b": 1, "a": 2}
    assert book.refresh()
    assert book.refresh()
    assert book.index.versions == {"a": 2, "b": 1}
    assert registry.opened == 1
    assert (book.status().champions, book.status().changed, book.status().error) == (2, 3, None)


def test_what_is_known_stays_known_while_the_registry_is_away() -> None:
    registry = FakeRegistry({"a": 1})
    book = ChampionBook(registry.open)
    book.refresh()
    registry.away = True
    assert not book.refresh()
    assert book.index.versions == {"a": 1}
    assert book.status().error == "nothing answers"
    assert book.status().seen_at is not None
    registry.away, registry.champions = False, {"a": 2}
    assert book.refresh()
    assert book.index.versions == {"a": 2}
    assert (registry.opened, book.status().error) == (2, None)


def test_a_registry_that_is_away_at_the_start_is_found_later() -> None:
    registry = FakeRegistry({"a": 1}, away=True)
    book = ChampionBook(registry.open, refresh_seconds=0.001)
    book.start()
    try:
        assert book.status().seen_at is None
        with pytest.raises(NotReadyError):
            _ = book.index
        registry.away = False
        while book.status().seen_at is None:
            assert registry.polled.wait(10)
        assert book.index.versions == {"a": 1}
    finally:
        book.stop()
    registry.polled.clear()
    assert not registry.polled.wait(0.05)  # nobody looks any more


def test_an_error_that_nobody_expected_stops_nothing() -> None:
    def broken() -> FakeRegistry:
        raise ZeroDivisionError

    book = ChampionBook(broken)
    assert not book.refresh()
    assert book.status().error is not None


@pytest.mark.parametrize(
    ("look", "share", "rest"), [(0.0, 0.5, 2.0), (0.5, 0.5, 1.5), (3.0, 0.5, 3.0), (3.0, 0.1, 27.0)]
)
def test_looks_begin_at_even_intervals_unless_they_take_too_much_of_the_time(
    look: float, share: float, rest: float
) -> None:
    assert rest_after(look, 2.0, share) == pytest.approx(rest)
