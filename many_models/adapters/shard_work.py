"""What a Spark task does with its shard: read the file, call ``core``, write the result beside it.

Runs on the executors, so it imports neither Spark nor MLflow.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from many_models.adapters.arrow_files import read_parquet, write_parquet
from many_models.adapters.model_artifact import load_payload
from many_models.core.errors import RegistryError
from many_models.core.registration import PAYLOAD_SHA256_TAG, ModelVersion
from many_models.core.scoring import Champion, score_shard
from many_models.core.sharding import Shard
from many_models.core.training import train_shard
from many_models.core.use_case import UseCase


@dataclass(frozen=True, slots=True)
class TrainedShard:
    """Where a shard's training result lies, and how many groups ended with each status."""

    partition: str
    path: str
    statuses: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ScoringTask:
    """A shard with the production versions of its groups, by composite key."""

    shard: Shard
    champions: Mapping[str, ModelVersion]


@dataclass(frozen=True, slots=True)
class ScoredShard:
    """Where a shard's predictions and scoring ledger lie, and how many groups each source served."""

    partition: str
    predictions: str
    ledger: str
    sources: Mapping[str, int]


def train_task(shard: Shard, use_case: UseCase, folder: str) -> TrainedShard:
    """Train one shard and leave the result in ``folder``."""
    result = train_shard(
        read_parquet(shard.path),
        use_case,
        partition=shard.partition,
        trained_through=np.datetime64(shard.data_through),
    )
    path = f"{folder}/trained-{shard.number}-{uuid.uuid4().hex}.parquet"
    write_parquet(result, path)
    return TrainedShard(shard.partition, path, Counter(result["status"].to_pylist()))


def score_task(task: ScoringTask, use_case: UseCase, folder: str, origin: str) -> ScoredShard:
    """Score one shard at ``origin`` (ISO time) and leave the results in ``folder``."""
    shard = task.shard
    predictions, ledger = score_shard(
        read_parquet(shard.path),
        {key: _load_champion(version) for key, version in task.champions.items()},
        use_case,
        partition=shard.partition,
        origin=np.datetime64(origin),
    )
    name = f"{shard.number}-{uuid.uuid4().hex}.parquet"
    paths = f"{folder}/predictions-{name}", f"{folder}/scored-{name}"
    write_parquet(predictions, paths[0])
    write_parquet(ledger, paths[1])
    return ScoredShard(shard.partition, *paths, Counter(ledger["source"].to_pylist()))


def _load_champion(version: ModelVersion) -> Champion:
    try:
        digest = version.tags[PAYLOAD_SHA256_TAG]
        payload = load_payload(version.location, digest, version.name)
    except (RegistryError, KeyError) as error:
        return Champion(version.name, version.version, None, f"{type(error).__name__}: {error}")
    return Champion(version.name, version.version, payload)
