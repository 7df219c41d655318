"""Taking champions back: the port, and its two implementations as for registering.

In a database that we know, all models of a rollback change in one transaction. Through MLflow's
calls they change one by one, each marked as rolled back before its alias moves: a process killed at
any instant leaves what the same rollback, tried again, completes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from many_models.adapters.registry import tables
from many_models.adapters.registry.aliases import move_alias, read_alias, remove_alias
from many_models.adapters.registry.connection import unreachable
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.rows import WORKSPACE
from many_models.adapters.registry.search import models_named
from many_models.adapters.registry.transaction import RegistryTransaction
from many_models.core.errors import RegistryError
from many_models.core.registration import CHAMPION, PARTITION_TAG
from many_models.core.rollback import ChampionChange, Rollback

if TYPE_CHECKING:
    from mlflow import MlflowClient

_TOGETHER = 100  # models whose champions the client looks up together


class ChampionChanger(Protocol):
    """Takes champions back to earlier versions."""

    def roll_back(self, changes: Sequence[ChampionChange], rollback: Rollback) -> None:
        """Carry ``changes`` out, each model once, and write ``rollback`` on what was champion.

        Raises:
            RegistryError: when a champion is another than the change says, or the registry fails.
        """
        ...


class BulkChampionChanger:
    """Changes champions in the ``database`` of the registry at ``uri``: all or none."""

    def __init__(self, database: RegistryDatabase, uri: str) -> None:
        self._database = database
        self._uri = uri

    def roll_back(self, changes: Sequence[ChampionChange], rollback: Rollback) -> None:
        """Carry ``changes`` out in one transaction; as ``ChampionChanger``."""
        try:
            with self._database.writing() as transaction:
                _require_current(read_alias(transaction, CHAMPION, _names(changes)), changes)
                _write(transaction, changes, rollback)
        except self._database.failures as error:
            raise unreachable(self._uri, error) from error


class ClientChampionChanger:
    """Changes champions of any registry through MLflow's ``client``, one by one."""

    def __init__(self, client: MlflowClient, uri: str) -> None:
        self._client = client
        self._uri = uri

    def roll_back(self, changes: Sequence[ChampionChange], rollback: Rollback) -> None:
        """Carry ``changes`` out in their order; as ``ChampionChanger``."""
        try:
            for start in range(0, len(changes), _TOGETHER):
                part = changes[start : start + _TOGETHER]
                _require_current(self._champions(part), part)
                for change in part:
                    self._change(change, rollback)
        except RegistryError:
            raise
        except Exception as error:
            raise unreachable(self._uri, error) from error

    def _champions(self, changes: Sequence[ChampionChange]) -> dict[str, int]:
        return {
            model.name: int(model.aliases[CHAMPION])
            for model in models_named(self._client, _names(changes))
            if CHAMPION in model.aliases
        }

    def _change(self, change: ChampionChange, rollback: Rollback) -> None:
        for key, value in rollback.tags(change).items():
            self._client.set_model_version_tag(change.name, str(change.from_version), key, value)
        if change.to_partition is not None:
            self._client.set_registered_model_tag(change.name, PARTITION_TAG, change.to_partition)
        if change.to_version is None:
            self._client.delete_registered_model_alias(change.name, CHAMPION)
        else:
            version = str(change.to_version)
            self._client.set_registered_model_alias(change.name, CHAMPION, version)


def _write(
    transaction: RegistryTransaction, changes: Sequence[ChampionChange], rollback: Rollback
) -> None:
    transaction.upsert(
        tables.MODEL_VERSION_TAGS,
        [
            (WORKSPACE, change.name, change.from_version, key, value)
            for change in changes
            for key, value in rollback.tags(change).items()
        ],
    )
    transaction.upsert(
        tables.REGISTERED_MODEL_TAGS,
        [
            (WORKSPACE, change.name, PARTITION_TAG, change.to_partition)
            for change in changes
            if change.to_partition is not None
        ],
    )
    move_alias(
        transaction,
        CHAMPION,
        {c.name: c.to_version for c in changes if c.to_version is not None},
    )
    remove_alias(transaction, CHAMPION, [c.name for c in changes if c.to_version is None])


def _require_current(champions: Mapping[str, int], changes: Sequence[ChampionChange]) -> None:
    for change in changes:
        found = champions.get(change.name)
        if found != change.from_version:
            now = "has no champion" if found is None else f"has version {found} as champion"
            raise RegistryError(
                f"model {change.name} {now} by now, no longer version {change.from_version}: "
                "somebody promoted or rolled back meanwhile. Look at its history, and roll back "
                "again if that is still what you want"
            )


def _names(changes: Sequence[ChampionChange]) -> list[str]:
    return [change.name for change in changes]
