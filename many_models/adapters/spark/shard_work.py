"""What a Spark task does with its shard: read the file, call ``core``, write the result beside it.

Runs on the executors, so it imports neither Spark nor MLflow.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache, partial

import numpy as np
import pyarrow as pa

from many_models.adapters.lake.arrow_files import read_parquet, write_parquet
from many_models.adapters.lake.shard_files import read_shard
from many_models.adapters.registry.model_artifact import load_payload
from many_models.adapters.registry.packing import Packing, Store
from many_models.adapters.spark.pooled_work import read_fits
from many_models.core.cost import Allowance
from many_models.core.errors import RegistryError
from many_models.core.explanation import EFFECTS, write_explanations
from many_models.core.forecast.training import train_shard
from many_models.core.registration import PAYLOAD_SHA256_TAG, ModelVersion, StoredModel
from many_models.core.scoring import Champion
from many_models.core.shapes import TrainShard, shape_of
from many_models.core.sharding import BrokenShard, Shard
from many_models.core.use_case import AnyUseCase

_STORED = pa.struct([(field.name, pa.string()) for field in fields(StoredModel)])


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """Some shards; ``core_seconds`` allowed for each, none where the run has no budget."""

    shards: tuple[Shard, ...]
    core_seconds: tuple[float, ...] = ()

    @property
    def groups(self) -> int:
        return sum(shard.groups for shard in self.shards)


@dataclass(frozen=True, slots=True)
class TrainedShard:
    """Where a shard's training result lies, and how many groups ended with each status.

    Its columns are those of the shape's ``training_schema``, but where the task has written the
    models into packs, ``payload`` holds the fields of a ``StoredModel`` instead of bytes.
    """

    partition: str
    path: str
    statuses: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ScoringTask:
    """A shard, and the file that lists its partition's champions (None where there is none)."""

    shard: Shard
    champions: str | None


@dataclass(frozen=True, slots=True)
class ScoringRun:
    """What all scoring tasks of a run share: the ``origin`` is an ISO time.

    ``registry_uri`` is that of the MLflow server that hands out the payloads, where one does.
    """

    use_case: AnyUseCase
    folder: str
    origin: str
    registry_uri: str | None


@dataclass(frozen=True, slots=True)
class ScoredShard:
    """Where a shard's predictions and scoring ledger lie, and how many groups a source served.

    ``inventory`` is where that lies, None where the use case has none.
    """

    partition: str
    predictions: str
    ledger: str
    sources: Mapping[str, int]
    inventory: str | None = None


def train_task(
    task: TrainingTask,
    use_case: AnyUseCase,
    folder: str,
    packing: Packing | None,
    fits: Mapping[str, str] | None = None,
) -> list[TrainedShard | BrokenShard]:
    """Train a task's shards, one after the other, and leave a result of each in ``folder``.

    With ``packing`` the models are in packs, and there for good, when this returns; a task that
    fails or is killed leaves at worst packs that nobody speaks of. ``fits`` are files with pooled
    fits, by partition.

    Raises:
        OSError: a pack cannot be written from here.
    """
    if packing is None:
        return list(_train(task, use_case, folder, lambda result: result, fits or {}))
    with packing.open() as store:
        return list(_train(task, use_case, folder, partial(_pack, store), fits or {}))


def _train(
    task: TrainingTask,
    use_case: AnyUseCase,
    folder: str,
    place: Callable[[pa.Table], pa.Table],
    fits: Mapping[str, str],
) -> Iterator[TrainedShard | BrokenShard]:
    train = cache(partial(_train_function, use_case, fits))
    left = 0.0  # of what the shards before were allowed
    for number, shard in enumerate(task.shards):
        rows = read_shard(shard)
        if isinstance(rows, BrokenShard):
            yield rows
            continue
        allowance = Allowance(task.core_seconds[number] + left) if task.core_seconds else None
        result = train(shard.partition)(
            rows,
            use_case,
            partition=shard.partition,
            trained_through=np.datetime64(shard.data_through),
            allowance=allowance,
        )
        yield _leave(place(result), shard, folder)
        left = allowance.left if allowance else 0.0


def _train_function(use_case: AnyUseCase, fits: Mapping[str, str], partition: str) -> TrainShard:
    """What trains the shards of one partition: with its pooled fits, where it has some."""
    if partition not in fits:
        return shape_of(use_case).train_shard
    return partial(train_shard, pooled=read_fits(fits[partition]))


def _leave(result: pa.Table, shard: Shard, folder: str) -> TrainedShard:
    path = f"{folder}/trained-{shard.number}-{uuid.uuid4().hex}.parquet"
    write_parquet(result, path)
    return TrainedShard(shard.partition, path, Counter(result["status"].to_pylist()))


def _pack(store: Store, result: pa.Table) -> pa.Table:
    """``result`` with the place of each payload instead of its bytes."""
    index = result.schema.get_field_index("payload")
    explanations = write_explanations(result["candidate"].to_pylist(), result[EFFECTS])
    models = zip(result["payload"], result["payload_sha256"], explanations, strict=True)
    stored = [
        asdict(store(payload.as_py(), digest.as_py(), text)) if payload.is_valid else None
        for payload, digest, text in models
    ]
    return result.set_column(index, "payload", pa.array(stored, _STORED))


def score_task(task: ScoringTask, run: ScoringRun) -> ScoredShard | BrokenShard:
    """Score one shard and leave the results in the run's folder."""
    shard, rows = task.shard, read_shard(task.shard)
    if isinstance(rows, BrokenShard):
        return rows
    predictions, ledger, inventory = shape_of(run.use_case).score_shard(
        rows,
        ListedChampions(task.champions, run.registry_uri),
        run.use_case,
        partition=shard.partition,
        origin=np.datetime64(run.origin),
        data_through=np.datetime64(shard.data_through),
    )
    name = f"{shard.number}-{uuid.uuid4().hex}.parquet"
    paths = f"{run.folder}/predictions-{name}", f"{run.folder}/scored-{name}"
    write_parquet(predictions, paths[0])
    write_parquet(ledger, paths[1])
    sources = Counter(ledger["source"].to_pylist())
    if inventory is None:
        return ScoredShard(shard.partition, *paths, sources)
    stock = f"{run.folder}/inventory-{name}"
    write_parquet(inventory, stock)
    return ScoredShard(shard.partition, *paths, sources, stock)


def write_champions(champions: Mapping[str, ModelVersion], path: str) -> None:
    """List a partition's champions by composite key, for its tasks to look theirs up."""
    versions = champions.values()
    columns = {
        "group_key": list(champions),
        "name": [version.name for version in versions],
        "version": [version.version for version in versions],
        "location": [version.location for version in versions],
        "sha256": [version.tags.get(PAYLOAD_SHA256_TAG, "") for version in versions],
    }
    write_parquet(pa.table(columns), path)


class ListedChampions(Mapping[str, Champion]):
    """Champions of a partition by composite key; a payload is read when its group's turn comes."""

    def __init__(self, path: str | None, registry_uri: str | None) -> None:
        rows = read_parquet(path).to_pylist() if path else []
        self._rows = {row["group_key"]: row for row in rows}
        self._registry_uri = registry_uri

    def __getitem__(self, key: str) -> Champion:
        row = self._rows[key]
        try:
            payload = load_payload(
                row["location"], row["sha256"], row["name"], registry_uri=self._registry_uri
            )
        except RegistryError as error:
            return Champion(row["name"], row["version"], None, str(error))
        return Champion(row["name"], row["version"], payload)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
