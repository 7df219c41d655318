"""Searches of an MLflow store, page after page, for values that hold any characters.

MLflow's filters have no escape for quotes. A filter made here may let a few others through, so what
comes back is to be compared with the exact value; it never misses one.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from many_models.adapters.registry.connection import unreachable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as FoundVersion
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.store.entities import PagedList

T = TypeVar("T")

_UNSAFE = re.compile(r"['\"`\\\x00-\x1f\x7f;]")
_PAGE = 1000  # MLflow's limit for registered models
_VERSIONS_PAGE = 10_000
_LENGTH_MAX = 3000  # a filter travels in a URL, which servers cut at 4 KB or more


def tag_filter(key: str, value: str) -> str:
    """Condition that holds for every model whose tag ``key`` is ``value``."""
    pattern, replaced = _UNSAFE.subn("_", value)
    return f"tags.`{key}` {'LIKE' if replaced else '='} '{pattern}'"


def tagged_filter(key: str) -> str:
    """Condition that holds for every model with a tag ``key``, whatever it says."""
    return f"tags.`{key}` LIKE '%'"


def one_of_filters(attribute: str, values: Iterable[str]) -> Iterator[str]:
    """Conditions, each short enough for one query, that together hold for all of ``values``.

    Values with characters that no list can hold get a condition of their own.
    """
    batch: list[str] = []
    length = 0
    for value in values:
        pattern, replaced = _UNSAFE.subn("_", value)
        if replaced:
            yield f"{attribute} LIKE '{pattern}'"
            continue
        if batch and length + len(value) > _LENGTH_MAX:
            yield _one_of(attribute, batch)
            batch, length = [], 0
        batch.append(value)
        length += len(value) + 3
    if batch:
        yield _one_of(attribute, batch)


def search_models(client: MlflowClient, condition: str) -> Iterator[RegisteredModel]:
    """Registered models with their tags, aliases and latest version, by name."""

    def page(token: str | None) -> PagedList[RegisteredModel]:
        return client.search_registered_models(condition, _PAGE, ["name ASC"], token)

    return _pages(client, page)


def models_named(client: MlflowClient, names: Iterable[str]) -> Iterator[RegisteredModel]:
    """Those of ``names`` that are registered."""
    wanted = set(names)
    for condition in one_of_filters("name", sorted(wanted)):
        yield from (m for m in search_models(client, condition) if m.name in wanted)


def search_versions(client: MlflowClient, condition: str) -> Iterator[FoundVersion]:
    """Model versions with their tags (MLflow leaves their aliases out), by name."""

    def page(token: str | None) -> PagedList[FoundVersion]:
        return client.search_model_versions(condition, _VERSIONS_PAGE, ["name ASC"], token)

    return _pages(client, page)


def search_runs(client: MlflowClient, experiment_id: str, run_ids: Iterable[str]) -> Iterator[Run]:
    """Those of ``run_ids`` that are runs of the experiment."""
    for condition in one_of_filters("attributes.run_id", run_ids):

        def page(token: str | None, condition: str = condition) -> PagedList[Run]:
            return client.search_runs(
                [experiment_id], condition, max_results=_PAGE, page_token=token
            )

        yield from _pages(client, page)


def _pages(client: MlflowClient, search: Callable[[str | None], PagedList[T]]) -> Iterator[T]:
    token: str | None = None
    while True:
        try:
            with _collector_paused():
                page = search(token)
        except Exception as error:
            raise unreachable(client.tracking_uri, error) from error
        yield from page
        token = page.token
        if not token:
            return


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python's cycle collector from walking the many rows that SQLAlchemy makes.

    They are in use until the page is complete; without the walks a page takes half the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _one_of(attribute: str, values: list[str]) -> str:
    quoted = ",".join(f"'{value}'" for value in values)
    return f"{attribute} IN ({quoted})"
