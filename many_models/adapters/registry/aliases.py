"""Rows of aliases, and what must change with them, inside a transaction of a registry's database.

An alias moves together with the note of what it pointed at before: a reader sees both or neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from many_models.adapters.registry import tables
from many_models.adapters.registry.rows import WORKSPACE
from many_models.adapters.registry.transaction import RegistryTransaction, parts
from many_models.core.registration import REPLACES_TAG

Numbered = tuple[str, int]


def read_alias(
    transaction: RegistryTransaction, alias: str, names: Iterable[str]
) -> dict[str, int]:
    """Version under ``alias`` of those names that have one; nobody moves it until the end."""
    sql = (
        f"SELECT name, version FROM registered_model_aliases WHERE workspace = '{WORKSPACE}'"
        f" AND alias = ? AND name IN ({{}}) {'FOR UPDATE' if transaction.is_postgres else ''}"
    )
    found: dict[str, int] = {}
    for part in parts(sorted(names)):
        marks = ",".join("?" * len(part))
        found.update(transaction.query(sql.format(marks), [alias, *part]))
    return found


def point_alias(
    transaction: RegistryTransaction, alias: str, added: Sequence[Numbered]
) -> dict[Numbered, int]:
    """Let ``alias`` point at new versions, each of which says what it ``replaces``.

    Returns that number for those that replace one.
    """
    current = read_alias(transaction, alias, {name for name, _ in added})
    replaced: dict[Numbered, int] = {}
    for name, version in added:
        if name in current:
            replaced[name, version] = current[name]
        current[name] = version
    transaction.insert(
        tables.MODEL_VERSION_TAGS,
        [(WORKSPACE, *new, REPLACES_TAG, str(old)) for new, old in replaced.items()],
    )
    move_alias(transaction, alias, current)
    return replaced


def move_alias(transaction: RegistryTransaction, alias: str, targets: dict[str, int]) -> None:
    """Let ``alias`` of registered models point at versions that exist."""
    rows = [(WORKSPACE, name, alias, version) for name, version in targets.items()]
    transaction.upsert(tables.ALIASES, rows)


def remove_alias(transaction: RegistryTransaction, alias: str, names: Iterable[str]) -> None:
    """Let ``alias`` of registered models point nowhere."""
    transaction.many(
        "DELETE FROM registered_model_aliases WHERE workspace = ? AND alias = ? AND name = ?",
        [(WORKSPACE, alias, name) for name in sorted(names)],
    )
