"""What goes into a model registry and what comes back: records, versions and their tags.

Free of any registry's technology: adapters turn these into MLflow's rows and files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

CHAMPION = "champion"
"""Alias of the version in production."""

USE_CASE_TAG = "use_case"
PARTITION_TAG = "partition"
PARTITION_KEY_TAG = "partition_key"
"""The composite key of the group, which scoring finds its champion by."""

CANDIDATE_TAG = "candidate"

POOLED_TAG = "pooled"
"""On a partition's pooled model, which has no composite key."""

ROUTER_TAG = "router_of"
"""On the router, in place of ``use_case``: it is no model of a group, nor promoted by verdict."""

PAYLOAD_SHA256_TAG = "payload_sha256"
"""Written by the registry: hex SHA-256 of the payload, checked before anything is unpickled."""

LOCATION_TAG = "artifact_location"
"""Written by the registry: where the files are, so that no look-up for each model is needed."""

TRAINING_RUN_TAG = "training_run"
TRAINING_VERSION_TAG = "training_version"
"""With ``training_run``: the version of the training registry that a production model came from."""

DAGSTER_RUN_TAG = "dagster_run_id"
"""The run that trained the model."""

PROMOTED_AT_TAG = "promoted_at"
PROMOTED_BY_TAG = "promoted_by"
"""The run that promoted the model; ``promoted_at`` is the moment, in UTC, as ISO 8601 has it."""

REPLACES_TAG = "replaces"
"""Written by the registry: the version that was champion before; absent when there was none."""

ROLLED_BACK_AT_TAG = "rolled_back_at"
ROLLED_BACK_BY_TAG = "rolled_back_by"
ROLLED_BACK_TO_TAG = "rolled_back_to"
"""The version that became champion instead, or ``baseline``."""

ROLLBACK_REASON_TAG = "rollback_reason"
ROLLBACK_ID_TAG = "rollback_id"
"""One for each rollback, however many models it concerns and however often it is tried."""

_OF_ONE_VERSION = frozenset(
    {
        LOCATION_TAG,
        REPLACES_TAG,
        ROLLED_BACK_AT_TAG,
        ROLLED_BACK_BY_TAG,
        ROLLED_BACK_TO_TAG,
        ROLLBACK_REASON_TAG,
        ROLLBACK_ID_TAG,
    }
)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model whose files stand in their place before it is registered, with ids in them.

    ``sha256`` is the hex digest of its payload, as whoever wrote it computed it.
    """

    location: str
    run_id: str
    model_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model as it is to be registered.

    ``payload`` is a pickle of an estimator whose ``predict(DataFrame)`` returns a DataFrame with
    the columns prediction, lower and upper. It is empty where ``stored`` says that it is written
    already; a record has one of the two. ``key_tags`` names those of ``tags`` that say which
    group this is: they, the use case and the partition also go on the registered model itself.
    ``files`` are those that stood beside the payload where the record was read from, by name; a
    model fresh from training has its explanation at most.
    """

    name: str
    payload: bytes = field(repr=False)
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    key_tags: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    stored: StoredModel | None = None

    def __post_init__(self) -> None:
        if bool(self.payload) == (self.stored is not None):
            raise ValueError(f"model {self.name} needs a payload, or to be stored, and not both")

    def model_tags(self) -> dict[str, str]:
        """Those of ``tags`` that also go on the registered model."""
        keys = (USE_CASE_TAG, PARTITION_TAG, *self.key_tags)
        return {key: self.tags[key] for key in keys if key in self.tags}

    def version_tags(self) -> dict[str, str]:
        """Tags of the version but for what the registry adds: ``tags`` and the payload's digest.

        A record that was read from a registry brings its location and its history as a champion
        there; they mean nothing here.
        """
        own = {key: value for key, value in self.tags.items() if key not in _OF_ONE_VERSION}
        digest = self.stored.sha256 if self.stored else sha256(self.payload).hexdigest()
        return {**own, PAYLOAD_SHA256_TAG: digest}


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version as found in a registry; ``location`` is the directory (or URI) of its files."""

    name: str
    version: int
    run_id: str
    location: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RegistrationFailure:
    """A model that the registry refused, or that could not be read from one."""

    name: str
    error: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of one model on its way to production.

    ``version`` is production's version (None when failed); ``error`` is set when failed. What was
    rolled back before stays so: ``version`` is the one that was.
    """

    name: str
    outcome: Literal["promoted", "unchanged", "rolled_back", "failed"]
    version: ModelVersion | None = None
    error: str | None = None
