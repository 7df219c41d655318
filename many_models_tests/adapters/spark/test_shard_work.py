from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from many_models.adapters.lake.arrow_files import read_parquet, write_parquet
from many_models.adapters.registry.artifact_template import ArtifactTemplate
from many_models.adapters.registry.model_artifact import load_payload
from many_models.adapters.registry.packing import Packing
from many_models.adapters.registry.packs import split_location
from many_models.adapters.spark.pooled_work import SamplingTask, sample_task
from many_models.adapters.spark.shard_work import (
    ScoredShard,
    ScoringRun,
    ScoringTask,
    TrainedShard,
    TrainingTask,
    score_task,
    train_task,
    write_champions,
)
from many_models.core.forecast.candidates.baseline import SeasonalNaive
from many_models.core.forecast.candidates.catalogue import CANDIDATES
from many_models.core.forecast.candidates.port import FittedCandidate, Sample
from many_models.core.forecast.candidates.ridge import fit_ridge
from many_models.core.registration import ModelVersion
from many_models.core.sharding import BrokenShard, Shard
from many_models.core.use_case import AnyUseCase
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks

USE_CASE = make_use_case(candidates=["seasonal_naive", "ridge"])
GROUPS = {
    ("s1", "bread"): make_series(USE_CASE, "2024-01-01", noisy_weeks(90)),
    ("s1", "milk"): make_series(USE_CASE, "2024-01-01", noisy_weeks(90, seed=1)),
    ("s1", "salt"): make_series(USE_CASE, "2024-03-25", [2.0]),
}


TEMPLATE = ArtifactTemplate.from_files({"MLmodel": b"flavors: {}\n"})
TRAIN = """
import pickle, sys
from pathlib import Path
from many_models.adapters.spark.shard_work import train_task
train_task(*pickle.loads(Path(sys.argv[1]).read_bytes()))
sys.exit(" ".join(sys.modules.keys() & {"mlflow", "sqlalchemy", "pyspark"}) or 0)
"""


def _train(
    task: TrainingTask, use_case: AnyUseCase, folder: str, packing: Packing | None
) -> list[TrainedShard]:
    """What a task makes of shards all of which can be read."""
    ended = train_task(task, use_case, folder, packing)
    trained = [shard for shard in ended if isinstance(shard, TrainedShard)]
    assert len(trained) == len(ended)
    return trained


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    path = f"{tmp_path}/shard.parquet"
    write_parquet(make_shard(USE_CASE, GROUPS), path)
    return Shard("s1", 0, groups=3, rows=181, data_through="2024-03-30 00:00:00", path=path)


@pytest.fixture
def trained(shard: Shard, tmp_path: Path) -> TrainedShard:
    (trained,) = _train(TrainingTask((shard,)), USE_CASE, f"{tmp_path}/scratch", None)
    return trained


def _put_in_production(trained: TrainedShard, folder: Path) -> dict[str, ModelVersion]:
    """Champions of the trained groups, each in a folder of its own."""
    champions = {}
    for number, row in enumerate(read_parquet(trained.path).to_pylist()):
        if row["payload"] is not None:
            place = folder / str(number)
            place.mkdir(parents=True)
            (place / "model.pkl").write_bytes(row["payload"])
            tags = {"payload_sha256": row["payload_sha256"]}
            champions[row["group_key"]] = ModelVersion(row["item"], 3, "run", str(place), tags)
    return champions


def _score(shard: Shard, champions: str | None, folder: Path, origin: str) -> ScoredShard:
    run = ScoringRun(USE_CASE, str(folder / "scratch"), origin, None)
    scored = score_task(ScoringTask(shard, champions), run)
    assert isinstance(scored, ScoredShard)
    return scored


def _sources(scored: ScoredShard) -> list[tuple[str, str, str | None, int | None]]:
    rows = read_parquet(scored.ledger).to_pylist()
    return [(r["item"], r["source"], r["reason"], r["model_version"]) for r in rows]


def test_a_trained_shard_has_a_row_and_a_payload_with_its_digest(trained: TrainedShard) -> None:
    rows = {row["item"]: row for row in read_parquet(trained.path).to_pylist()}
    assert trained.partition == "s1"
    assert trained.statuses == {"trained": 2, "skipped": 1}
    assert rows.keys() == {"bread", "milk", "salt"}
    assert rows["salt"]["payload"] is None
    assert rows["milk"]["payload_sha256"] == hashlib.sha256(rows["milk"]["payload"]).hexdigest()


def test_a_task_that_spark_runs_twice_leaves_two_files(
    shard: Shard, trained: TrainedShard, tmp_path: Path
) -> None:
    (again,) = _train(TrainingTask((shard,)), USE_CASE, f"{tmp_path}/scratch", None)
    assert again.path != trained.path
    columns = ["group_key", "payload_sha256"]
    assert read_parquet(again.path, columns).equals(read_parquet(trained.path, columns))


def test_a_packed_shard_has_the_places_of_the_same_payloads(
    shard: Shard, trained: TrainedShard, tmp_path: Path
) -> None:
    packing = Packing((tmp_path / "packs").as_uri(), TEMPLATE)

    packed = _train(TrainingTask((shard, shard)), USE_CASE, f"{tmp_path}/scratch", packing)

    (pack,) = (tmp_path / "packs").iterdir()
    assert [one.statuses for one in packed] == [trained.statuses] * 2
    expected = read_parquet(trained.path).to_pylist()
    for one in packed:
        rows = read_parquet(one.path).to_pylist()
        for row, unpacked in zip(rows, expected, strict=True):
            stored, payload = row.pop("payload"), unpacked["payload"]
            del row["seconds"], row["core_seconds"]
            assert row.items() <= unpacked.items()
            if payload is None:
                assert stored is None
                continue
            assert split_location(stored["location"])[0] == pack.as_uri()
            assert stored["sha256"] == row["payload_sha256"]
            assert load_payload(stored["location"], stored["sha256"], row["item"]) == payload


def test_what_a_shard_leaves_of_its_allowance_is_the_next_ones(
    shard: Shard, tmp_path: Path
) -> None:
    def statuses(*core_seconds: float) -> list[dict[str, int]]:
        task = TrainingTask((shard, shard), core_seconds)
        return [dict(one.statuses) for one in _train(task, USE_CASE, f"{tmp_path}/s", None)]

    usual = {"trained": 2, "skipped": 1}
    assert statuses(60.0, 0.0) == [usual, usual]
    assert statuses(0.0, 60.0) == [{"skipped": 3}, usual]


def test_a_task_that_fails_leaves_no_pack(shard: Shard, tmp_path: Path) -> None:
    (tmp_path / "full").touch()  # where the result should go
    packing = Packing((tmp_path / "packs").as_uri(), TEMPLATE)

    with pytest.raises(OSError):
        train_task(TrainingTask((shard,)), USE_CASE, f"{tmp_path}/full", packing)

    assert list((tmp_path / "packs").iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_shard_that_cannot_be_read_does_not_stop_those_beside_it(
    shard: Shard, trained: TrainedShard, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "bad.parquet"
    if damage == "cut off":
        path.write_bytes(Path(shard.path).read_bytes()[:-100])
    bad = Shard("s9", 7, 2, 1, shard.data_through, str(path))

    first, second = train_task(TrainingTask((bad, shard)), USE_CASE, f"{tmp_path}/scratch", None)

    assert isinstance(first, BrokenShard) and isinstance(second, TrainedShard)
    assert first.text.startswith("shard 7 of grouped_datasets, of 2 groups, cannot be read")
    assert second.statuses == trained.statuses
    run = ScoringRun(USE_CASE, f"{tmp_path}/scratch", "2024-03-30", None)
    assert score_task(ScoringTask(bad, None), run) == first
    assert sample_task(SamplingTask(bad, 9), USE_CASE, f"{tmp_path}/scratch") is None


def test_a_group_whose_model_cannot_be_pickled_fails_alone(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unpicklable(SeasonalNaive):
        def __reduce__(self) -> str:
            raise TypeError("cannot be pickled")

    def fit(sample: Sample) -> FittedCandidate:
        return Unpicklable() if sample.y[-1] == last else fit_ridge(sample)

    last = GROUPS["s1", "milk"]["sold"][-1]
    monkeypatch.setitem(CANDIDATES, "ridge", fit)
    packing = Packing((tmp_path / "packs").as_uri(), TEMPLATE)

    (packed,) = _train(TrainingTask((shard,)), USE_CASE, f"{tmp_path}/scratch", packing)

    rows = {row["item"]: row for row in read_parquet(packed.path).to_pylist()}
    assert (rows["milk"]["status"], rows["milk"]["payload"]) == ("failed", None)
    assert "cannot be pickled" in rows["milk"]["error"]
    bread = rows["bread"]["payload"]
    assert load_payload(bread["location"], bread["sha256"], "bread")


def test_an_executor_packs_without_mlflow(shard: Shard, tmp_path: Path) -> None:
    packing = Packing((tmp_path / "packs").as_uri(), TEMPLATE)
    job = tmp_path / "job"
    job.write_bytes(
        pickle.dumps((TrainingTask((shard,)), USE_CASE, f"{tmp_path}/scratch", packing))
    )

    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(job)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "packs").iterdir())) == 1


def test_a_group_is_served_by_its_champion_and_else_by_the_baseline(
    shard: Shard, trained: TrainedShard, tmp_path: Path
) -> None:
    champions = _put_in_production(trained, tmp_path / "production")
    del champions["store=s1,item=milk"]
    listed = f"{tmp_path}/champions.parquet"
    write_champions(champions, listed)

    scored = _score(shard, listed, tmp_path, "2024-03-30")

    assert _sources(scored) == [
        ("bread", "model", None, 3),
        ("milk", "baseline", "no_champion", None),
        ("salt", "baseline", "no_champion", None),
    ]
    assert scored.sources == {"model": 1, "baseline": 2}
    assert read_parquet(scored.predictions).num_rows == 3 * USE_CASE.horizon


def test_a_payload_that_was_changed_is_not_loaded(
    shard: Shard, trained: TrainedShard, tmp_path: Path
) -> None:
    champions = _put_in_production(trained, tmp_path / "production")
    location = Path(champions["store=s1,item=bread"].location)
    touched = tmp_path / "touched"
    (location / "model.pkl").write_bytes(
        b"cposix\nsystem\n(S'touch " + str(touched).encode() + b"'\ntR."
    )
    write_champions(champions, f"{tmp_path}/champions.parquet")

    scored = _score(shard, f"{tmp_path}/champions.parquet", tmp_path, "2024-03-30")

    assert not touched.exists()
    assert _sources(scored)[:2] == [
        ("bread", "baseline", "champion_failed", None),
        ("milk", "model", None, 3),
    ]
    error = read_parquet(scored.ledger)["error"][0].as_py()
    assert "has SHA-256" in error
    assert "bread" in error


def test_champions_of_other_shards_are_not_read(
    shard: Shard, trained: TrainedShard, tmp_path: Path
) -> None:
    champions = _put_in_production(trained, tmp_path / "production")
    elsewhere = ModelVersion("x", 1, "run", f"{tmp_path}/a pipe", {"payload_sha256": "0"})
    write_champions(champions | {"store=s1,item=x": elsewhere}, f"{tmp_path}/champions.parquet")
    import os

    os.mkfifo(f"{tmp_path}/a pipe")  # whoever reads it waits forever
    scored = _score(shard, f"{tmp_path}/champions.parquet", tmp_path, "2024-03-30")
    assert scored.sources == {"model": 2, "baseline": 1}


def test_what_was_not_ingested_yet_is_missing_and_no_zero(shard: Shard, tmp_path: Path) -> None:
    late = _score(shard, None, tmp_path, "2024-04-06")
    rows = read_parquet(late.predictions).to_pylist()
    bread = [row["prediction"] for row in rows if row["item"] == "bread"]
    assert bread == GROUPS["s1", "bread"]["sold"][-7:]
