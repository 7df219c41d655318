"""Running work on shards with Spark: a small manifest moves, the data does not.

Each task gets one row of the manifest through ``mapInPandas``, reads its own file and writes its
own result; what comes back to the driver is one small row per shard.
"""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import cloudpickle
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

from many_models.core.errors import ManyModelsError

if TYPE_CHECKING:
    from pyspark.accumulators import Accumulator

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")

PROGRESS_SECONDS = 3.0


@dataclass(frozen=True)
class Progress:
    """Words and numbers for the log: ``verb`` done / total groups."""

    verb: str
    total: int


def run_tasks(
    spark: SparkSession,
    tasks: Sequence[Task],
    work: Callable[[Task], Result],
    groups: Callable[[Task], int],
    progress: Progress,
) -> list[Result]:
    """Results of ``work`` on every task, in the order of ``tasks``; one Spark task each.

    ``work`` runs on the executors and must be picklable, as must tasks and results. What is wrong
    with one group it turns into a row by itself.

    Raises:
        ManyModelsError: the first that ``work`` raised. Spark tries a task again after any other
            exception, and then fails the job with a PySparkException that quotes it.
    """
    if not tasks:
        return []
    manifest = pd.DataFrame(
        {
            "number": range(len(tasks)),
            "groups": [groups(task) for task in tasks],
            "task": [pickle.dumps(task) for task in tasks],
        }
    )
    columns = list(manifest.columns)
    done = spark.sparkContext.accumulator(0)
    run = cloudpickle.dumps(work)

    def run_batches(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        function = cloudpickle.loads(run)
        for frame in frames:
            for number, count, task in zip(*(frame[name] for name in columns), strict=True):
                result = pickle.dumps(_attempt(function, pickle.loads(task)))
                done.add(int(count))
                yield pd.DataFrame({"number": [number], "result": [result]})

    spread = spark.createDataFrame(manifest).repartitionById(
        len(tasks), sf.col("number").cast("int")
    )
    with _Reporter(done, progress):
        rows = spread.mapInPandas(run_batches, "number long, result binary").collect()
    found = {row["number"]: pickle.loads(row["result"]) for row in rows}
    results = [found[number] for number in range(len(tasks))]
    for result in results:
        if isinstance(result, ManyModelsError):
            raise result
    return results


def _attempt(work: Callable[[Task], Result], task: Task) -> Result | ManyModelsError:
    try:
        return work(task)
    except ManyModelsError as error:
        return error


class _Reporter:
    """Logs an accumulator's growth every few seconds while a Spark job runs."""

    def __init__(self, done: Accumulator[int], progress: Progress) -> None:
        self._done, self._progress = done, progress
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._finished.set()
        self._thread.join()
        self._log()

    def _report(self) -> None:
        while not self._finished.wait(PROGRESS_SECONDS):
            self._log()

    def _log(self) -> None:
        logger.info(
            "%s %d / %d groups", self._progress.verb, self._done.value, self._progress.total
        )
