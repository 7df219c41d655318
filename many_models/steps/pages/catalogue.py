"""Which use cases have results in a store, with their configuration."""

from __future__ import annotations

from functools import lru_cache

from many_models.adapters.results.store import ResultStore
from many_models.core.errors import NotReadyError
from many_models.core.result_tables.shared import USE_CASES
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import parse_use_case


def read_catalogue(store: ResultStore) -> dict[str, AnyUseCase]:
    """The use cases that the store knows, by name; none in a store that nobody has written to.

    Raises:
        StoreError: the store cannot be read.
    """
    if not store.columns(USE_CASES):
        return {}
    rows = store.query(f"SELECT name, config FROM {USE_CASES} ORDER BY name").to_pylist()
    return {row["name"]: _parse(row["name"], row["config"]) for row in rows}


def require_tables(store: ResultStore, use_case: AnyUseCase) -> None:
    """Make sure that the store has this use case's tables.

    Raises:
        NotReadyError: it has none of them.
    """
    if use_case.name not in read_catalogue(store):
        raise NotReadyError(
            f"Nothing has been run yet. `many-models run {use_case.name}` does all of it: extract, "
            "group, train, judge, promote, predict. Then look here again."
        )


@lru_cache(maxsize=1_000)
def _parse(name: str, config: str) -> AnyUseCase:
    return parse_use_case(config, name=f"{name} in table {USE_CASES}")
