"""Which use cases have results in a store, with their configuration."""

from __future__ import annotations

from functools import lru_cache

from many_models.adapters.results.store import ResultStore
from many_models.core.errors import NotReadyError
from many_models.core.result_tables.shared import USE_CASES
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import parse_use_case
from many_models.steps.results import Results


def read_catalogue(store: ResultStore) -> dict[str, AnyUseCase]:
    """The use cases that the store knows, by name; none in a store that nobody has written to.

    Raises:
        StoreError: the store cannot be read.
    """
    if not store.columns(USE_CASES):
        return {}
    rows = store.query(f"SELECT name, config FROM {USE_CASES} ORDER BY name").to_pylist()
    return {row["name"]: _parse(row["name"], row["config"]) for row in rows}


def require_tables(results: Results) -> None:
    """Make sure that the store has this use case's tables, as this code knows them.

    Raises:
        NotReadyError: it has none of them, or others.
    """
    store, name = results.store, results.use_case.name
    rows: list[dict[str, str]] = []
    if store.columns(USE_CASES):
        sql = f"SELECT shape FROM {USE_CASES} WHERE name = :name"
        rows = store.query(sql, {"name": name}).to_pylist()
    if not rows:
        raise NotReadyError(
            f"Nothing has been run yet. `many-models run {name}` does all of it: extract, "
            "group, train, judge, promote, predict. Then look here again."
        )
    if rows[0]["shape"] != results.declaration.digest:
        raise NotReadyError(
            f"The tables of {name} are those of another version of Many Models, or of its file. "
            "`many-models store upgrade` brings them to this one; nothing is lost."
        )


@lru_cache(maxsize=1_000)
def _parse(name: str, config: str) -> AnyUseCase:
    return parse_use_case(config, name=f"{name} in table {USE_CASES}")
