"""New data: ask a use case's source what was loaded, and whether it can be asked at all."""

from __future__ import annotations

from datetime import datetime

from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.loads import LoadBounds, LoadColumns
from many_models.adapters.sources.query import Window
from many_models.core.errors import SourceError, UseCaseError
from many_models.core.new_data import BEGINNING, CLOCKS_AHEAD, Loads, WatchState, next_since
from many_models.core.use_case import AnyUseCase

FOREVER = datetime(9999, 1, 1)


def first_state(
    use_case: AnyUseCase, source: SourceDatabase, digest: str, now: datetime
) -> WatchState:
    """A state that knows the latest load only: the look after the first need not see all again."""
    query, window = _selection(use_case, source)
    newest = source.newest_load(query, _columns(use_case), window)
    if newest is None or newest > now + CLOCKS_AHEAD:
        return WatchState(digest=digest)
    return WatchState(digest=digest, watermark=newest)


def read_loads(use_case: AnyUseCase, source: SourceDatabase, state: WatchState) -> Loads:
    """Days of rows loaded since the state says, as ``core.new_data.look`` takes them."""
    bounds = LoadBounds(state.since, next_since(state, use_case.source.overlap))
    return _ask(use_case, source, bounds)


def check_watch(use_case: AnyUseCase, source: SourceDatabase) -> None:
    """Ask the source for loads of the far future, which shows what would be refused.

    Raises:
        UseCaseError: a column is not there, or is no time; names the field.
    """
    try:
        _ask(use_case, source, LoadBounds(FOREVER, FOREVER))
    except SourceError as error:
        field = "changes" if use_case.source.changes else "loaded_at"
        text = str(error).removeprefix(f"source.{field}: ")
        raise UseCaseError(f"source.{field} of {use_case.name!r}: {text}") from error


def _ask(use_case: AnyUseCase, source: SourceDatabase, bounds: LoadBounds) -> Loads:
    query, window = _selection(use_case, source)
    return source.loads(query, _columns(use_case), bounds, window)


def _columns(use_case: AnyUseCase) -> LoadColumns:
    return LoadColumns(use_case.time.column, use_case.source.load_column)


def _selection(use_case: AnyUseCase, source: SourceDatabase) -> tuple[str, Window | None]:
    """The query of rows with their load time, and the window of one that asks for a window."""
    given = use_case.source
    if given.table is not None:
        query = source.loaded_query(given.table, use_case.time.column, given.load_column)
        return query, None
    if given.changes is not None:
        return given.changes, None
    assert given.query is not None  # the use case has a query or a table
    return given.query, Window(BEGINNING, FOREVER)
