from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from many_models.adapters.registry.model_artifact import sha256
from many_models.adapters.registry.packs import PackWriter
from many_models.core.champion_index import IndexedChampion
from many_models.core.errors import LakeError, NotReadyError, RequestError
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.model_cache import ModelCache
from many_models.core.online import GroupHistory, ReadyModel
from many_models.core.scoring import Champion
from many_models.steps.champion_book import ChampionBook
from many_models.steps.online import NO_HISTORY, OnlineRules, OnlineScorer
from many_models.steps.online_service import OnlineService
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks
from many_models_tests.steps.test_champion_book import FakeRegistry

USE_CASE = make_use_case(candidates=["seasonal_naive", "ridge"])
END = np.datetime64("2024-05-29")
SERIES = {("1", item): make_series(USE_CASE, "2024-01-01", noisy_weeks(150, n))
          for n, item in enumerate("abc")}  # fmt: skip
DATES = [str(END + n) for n in range(1, 8)]


class FakeLake:
    """The histories of all groups; None is known of the others."""

    away = False

    def of(self, key: tuple[str, ...], partition: str) -> GroupHistory:
        if self.away:
            raise LakeError("/secret/lake is gone")
        own = {key: SERIES[key]} if key in SERIES else {}
        return GroupHistory(make_shard(USE_CASE, own), END)


@cache
def payloads() -> dict[str, bytes]:
    """Payloads of the groups a and b; c has no champion."""
    shard = make_shard(USE_CASE, {key: SERIES[key] for key in list(SERIES)[:2]})
    rows = train_shard(shard, USE_CASE, partition="1", trained_through=END).to_pylist()
    return {f"store=1,item={row['item']}": row["payload"] for row in rows}


class PackedRegistry(FakeRegistry):
    """Champions in a pack in ``folder``."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.found: dict[str, IndexedChampion] = {}
        with PackWriter(folder.as_uri()) as packs:
            for key, payload in payloads().items():
                location = packs.append(payload, {}, lambda _: b"")
                self.found[key] = IndexedChampion(key, 1, key, "1", location, sha256(payload))
            packs.seal()

    def poll(self, known: Any) -> Any:
        found = super().poll(known)
        return type(found)(tuple(c for c in self.found.values() if known.get(c.name) != c.version))


def make_scorer(folder: Path, **rules: Any) -> OnlineScorer:
    return scorer_of(PackedRegistry(folder), **rules)


def scorer_of(registry: PackedRegistry, **rules: Any) -> OnlineScorer:
    book = ChampionBook(registry.open)
    book.refresh()
    cache_of: ModelCache[ReadyModel] = ModelCache(1 << 20)
    return OnlineScorer(
        USE_CASE, book, cache_of, histories=FakeLake(), rules=OnlineRules(**rules)
    )  # fmt: skip


def columns_of(*items: str, dates: list[str] | None = None) -> dict[str, list[str]]:
    """A row of each item for each date, date by date."""
    days = dates or DATES
    rows = [(item, date) for date in days for item in items]
    return {
        "store": ["1"] * len(rows),
        "item": [item for item, _ in rows],
        "date": [date for _, date in rows],
    }


def batch() -> dict[tuple[str, str], dict[str, Any]]:
    champions = {key: Champion(key, 1, payload) for key, payload in payloads().items()}
    shard = make_shard(USE_CASE, SERIES)
    found = score_shard(shard, champions, USE_CASE, partition="1", origin=END)[0]
    return {(row["item"], str(row["time"].date())): row for row in found.to_pylist()}


@pytest.mark.parametrize("from_lake", [False, True])
def test_rows_of_many_groups_come_back_in_order_with_what_batch_says_of_them(
    tmp_path: Path, from_lake: bool
) -> None:
    columns = columns_of("b", "c", "a")
    scored = make_scorer(tmp_path, from_lake=from_lake).score(columns)
    expected = batch()
    assert [(r["item"], r["date"]) for r in scored.records] == list(
        zip(columns["item"], columns["date"], strict=True)
    )
    for record in scored.records:
        row = expected[record["item"], record["date"]]
        for name in ("prediction", "lower", "upper", "source", "model_name", "model_version"):
            assert record[name] == row[name]
        assert record["origin"] == "2024-05-29T00:00:00"
    assert scored.sources == {"model": 14, "baseline": 7}
    assert not scored.unserved


def test_a_group_without_a_champion_is_refused_where_the_rules_say_so(tmp_path: Path) -> None:
    scored = make_scorer(tmp_path, fallback=False).score(columns_of("a", "c"))
    assert scored.sources == {"model": 7, "none": 7}
    assert scored.unserved["store=1,item=c"].reason == "no_champion"
    refused = [record for record in scored.records if record["item"] == "c"]
    assert {record["prediction"] for record in refused} == {None}
    assert scored.records[0].keys() == refused[0].keys()


def test_a_model_is_loaded_once_for_each_version_that_is_champion(tmp_path: Path) -> None:
    registry = PackedRegistry(tmp_path)
    scorer = scorer_of(registry)
    scorer.score(columns_of("a"))
    scorer.score(columns_of("a"))
    counts = scorer.cache.counts()
    assert (counts.misses, counts.hits, counts.entries) == (1, 1, 1)
    key = "store=1,item=a"
    registry.found[key] = replace(registry.found[key], version=2)  # the same bytes once more
    scorer.book.refresh()
    assert {r["model_version"] for r in scorer.score(columns_of("a")).records} == {2}
    assert (scorer.cache.counts().misses, scorer.cache.counts().entries) == (2, 1)


def test_the_model_of_another_group_never_answers(tmp_path: Path) -> None:
    registry = PackedRegistry(tmp_path)
    own, other = registry.found["store=1,item=a"], registry.found["store=1,item=b"]
    registry.found["store=1,item=a"] = replace(own, location=other.location, sha256=other.sha256)
    records = scorer_of(registry).score(columns_of("a")).records
    assert {(r["source"], r["reason"]) for r in records} == {("baseline", "champion_failed")}


@pytest.mark.parametrize("fallback", [True, False])
def test_a_champion_whose_bytes_were_changed_is_never_unpickled(
    tmp_path: Path, fallback: bool
) -> None:
    scorer = make_scorer(tmp_path, fallback=fallback)
    (pack,) = tmp_path.glob("*.pack")
    payload = payloads()["store=1,item=a"]
    evil = b"cos\nsystem\n(S'exit 1'\ntR.".ljust(len(payload), b"\0")
    pack.write_bytes(pack.read_bytes().replace(payload, evil))
    scored = scorer.score(columns_of("a", "b"))
    changed, sound = scored.records[:2]
    assert sound["source"] == "model"
    assert (changed["source"], changed["reason"]) == (
        "baseline" if fallback else "none",
        "champion_failed",
    )
    assert str(tmp_path) not in changed["error"]
    assert scorer.cache.counts().failures == 1
    scorer.score(columns_of("a"))
    assert scorer.cache.counts().failures == 1  # it is not read again at once


def test_a_lake_that_is_away_leaves_champions_in_service(tmp_path: Path) -> None:
    scorer = make_scorer(tmp_path)
    scorer._histories.away = True  # type: ignore[union-attr]
    scored = scorer.score(columns_of("a", "c"))
    assert scored.sources == {"model": 7, "none": 7}
    problem = scored.unserved["store=1,item=c"]
    assert problem.reason == NO_HISTORY
    assert "secret" not in problem.error


def test_without_a_lake_nothing_stands_in(tmp_path: Path) -> None:
    scorer = make_scorer(tmp_path)
    scorer._histories = None
    assert scorer.score(columns_of("c")).unserved["store=1,item=c"].reason == "no_champion"


def test_a_time_that_cannot_be_forecast_is_no_reason_for_somebody_else_to_try(
    tmp_path: Path,
) -> None:
    scored = make_scorer(tmp_path).score(columns_of("a", "c", dates=["2025-01-01"]))
    assert {p.reason for p in scored.unserved.values()} == {"time_out_of_reach"}


def test_a_request_without_its_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="'item' is missing"):
        make_scorer(tmp_path).score({"store": ["1"], "date": DATES[:1]})


def test_a_service_starts_with_its_warm_models_and_tells_of_all(tmp_path: Path) -> None:
    scorer = make_scorer(tmp_path)
    service = OnlineService(scorer, warm=["item=a,store=1", "store=1,item=no"])
    service.start()
    try:
        assert scorer.cache.counts().entries == 1
        listed = service.list_models(1, 10, "1")
        assert (listed["total"], [m["key"] for m in listed["models"]]) == (2, ["store=1,item=b"])
        assert service.list_models(0, 10, "2")["models"] == []
        model = service.find_model("item=a,store=1")
        assert model is not None
        assert (model["model_version"], model["to"]) == (1, "2024-06-05T00:00:00")
        assert service.find_model("store=1,item=c") is service.find_model("what?") is None
        assert service.health()["status"] == "ok"
        assert {f.name: f.value for f in service.figures()}["cache_models"] == 1
    finally:
        service.stop()


def test_a_service_says_when_it_knows_nothing_yet_or_nothing_new(tmp_path: Path) -> None:
    registry = PackedRegistry(tmp_path)
    registry.away = True
    book = ChampionBook(registry.open)
    service = OnlineService(OnlineScorer(USE_CASE, book, ModelCache(1 << 20)))
    book.refresh()
    assert (service.health()["status"], service.health()["champions"]) == ("starting", 0)
    with pytest.raises(NotReadyError):  # and not the baseline for everybody
        service.score(columns_of("a"))
    registry.away = False
    book.refresh()
    assert (service.health()["status"], service.health()["champions"]) == ("ok", 2)
    registry.away = True
    book.refresh()
    health = service.health()
    assert (health["status"], health["champions"]) == ("stale", 2)
    assert health["registry"]["answers"] is False
    assert "nothing answers" not in str(health)
