from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from many_models.adapters.lake.arrow_files import read_parquet, write_parquet
from many_models.adapters.spark.shard_work import TrainedShard, TrainingTask, train_task
from many_models.adapters.spark.shards import Progress, run_tasks
from many_models.core.errors import LakeError
from many_models.core.forecast.use_case import UseCase
from many_models.core.sharding import Shard
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks
from many_models_tests.spark_cluster import standalone_cluster

pytestmark = pytest.mark.spark

# Trains the shards of argv[1] on the cluster argv[2], and prints what came of each group.
TRAIN = """
import json, pickle, sys
from pathlib import Path
from many_models.adapters.spark.session import start_session
from many_models_tests.adapters.spark.test_shards import train_all
settings = {"spark.executor.memory": "512m", "spark.driver.host": "127.0.0.1"}
use_case, shards, folder = pickle.loads(Path(sys.argv[1]).read_bytes())
spark = start_session(sys.argv[2], settings)
hosts = spark.sparkContext.parallelize(range(8), 8).map(lambda _: __import__("os").getppid())
print(json.dumps([len(set(hosts.collect())), train_all(spark, use_case, shards, folder)]))
"""


def train_all(
    spark: SparkSession, use_case: UseCase, shards: list[Shard], folder: str
) -> list[dict[str, object]]:
    """Ledger rows of all groups, without the seconds, and a digest of each payload."""
    progress = Progress("trained", sum(shard.groups for shard in shards))
    work = partial(train_task, use_case=use_case, folder=folder, packing=None)
    bundles = [tuple(shards[:2]), *((shard,) for shard in shards[2:])]
    tasks = [TrainingTask(bundle) for bundle in bundles]
    done = run_tasks(spark, tasks, work, lambda task: task.groups, progress)
    trained = [shard for bundle in done for shard in bundle]
    rows = [
        row
        for shard in trained
        if isinstance(shard, TrainedShard)
        for row in read_parquet(shard.path).to_pylist()
    ]
    for row in rows:
        payload = row.pop("payload")
        digest = hashlib.sha256(payload).hexdigest() if payload else None
        assert row["payload_sha256"] == digest
        del row["seconds"], row["core_seconds"]
    found: list[dict[str, object]] = json.loads(json.dumps(rows, default=str))
    return found


def _length(text: str) -> int:
    return len(text)


def test_results_come_in_the_order_of_the_tasks(spark: SparkSession) -> None:
    def slow_when_long(text: str) -> int:
        time.sleep(len(text) / 100)
        return len(text)

    tasks = ["x" * 30, "", "xx", "x" * 9]
    assert run_tasks(spark, tasks, slow_when_long, _length, Progress("done", 41)) == [30, 0, 2, 9]


def test_without_tasks_there_are_no_results(spark: SparkSession) -> None:
    assert run_tasks(spark, [], _length, _length, Progress("done", 0)) == []


def test_there_may_be_many_more_tasks_than_cores(spark: SparkSession) -> None:
    tasks = [f"{number:03}" for number in range(150)]
    assert run_tasks(spark, tasks, int, _length, Progress("done", 450)) == list(range(150))


def test_every_task_runs_by_itself(spark: SparkSession) -> None:
    def partition(_: str) -> int:
        from pyspark import TaskContext

        context = TaskContext.get()
        assert context is not None
        return context.partitionId()

    found = run_tasks(spark, ["a"] * 9, partition, _length, Progress("done", 9))
    assert sorted(found) == list(range(9))


def test_an_error_that_a_user_can_mend_arrives_as_it_was_raised(spark: SparkSession) -> None:
    def work(text: str) -> str:
        if text == "bad":
            raise LakeError("the shard is torn; materialize grouped_datasets again")
        return text

    with pytest.raises(LakeError, match=r"^the shard is torn; materialize"):
        run_tasks(spark, ["good", "bad"], work, _length, Progress("done", 7))


def test_any_other_exception_fails_the_run_and_is_quoted(spark: SparkSession) -> None:
    with pytest.raises(PySparkException, match=r"invalid literal for int.*'seven'"):
        run_tasks(spark, ["1", "seven"], int, _length, Progress("done", 6))


def test_a_cluster_trains_the_same_models_as_local_spark(
    spark: SparkSession, tmp_path: Path
) -> None:
    use_case = make_use_case()
    shards = []
    for number in range(4):
        groups = {
            (f"s{number}", item): make_series(use_case, "2024-01-01", noisy_weeks(90, seed))
            for seed, item in enumerate("abc", start=10 * number)
        }
        groups[f"s{number}", "d"] = make_series(use_case, "2024-03-01", [1.0])
        path = f"{tmp_path}/shard{number}.parquet"
        write_parquet(make_shard(use_case, groups), path)
        shards.append(Shard(f"s{number}", number, 4, 271, "2024-03-30 00:00:00", path))
    local = train_all(spark, use_case, shards, f"{tmp_path}/local")
    job = tmp_path / "job"
    job.write_bytes(pickle.dumps((use_case, shards, f"{tmp_path}/remote")))

    with standalone_cluster(tmp_path) as url:
        command = [sys.executable, "-c", TRAIN, str(job), url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    executors, remote = json.loads(done.stdout.splitlines()[-1])

    assert executors == 2
    assert [row["status"] for row in local] == ["trained", "trained", "trained", "skipped"] * 4
    assert remote == local
