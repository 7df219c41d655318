"""A closer look at one table than its summary: its times, its groups, and the query it needs.

Here belongs the SQL that ``many-models new`` runs or writes into a use case. What to make of the
answers does not: see ``steps.propose``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.tables import ColumnSummary, TableSummary
from many_models.core.errors import SourceError

logger = logging.getLogger(__name__)

TIMES_MAX = 100_000
_TEXT_TYPE = re.compile(r"CHAR|TEXT|CLOB|STRING", re.IGNORECASE)
_PERIOD = {
    "sqlite": {
        "h": "strftime('%Y-%m-%d %H:00:00', {0})",
        "D": "DATE({0})",
        "W-MON": "DATE({0}, '-6 days', 'weekday 1')",
        "MS": "DATE({0}, 'start of month')",
        "QS": "DATE({0}, 'start of month', '-' || ((STRFTIME('%m', {0}) - 1) % 3) || ' months')",
        "YS": "DATE({0}, 'start of year')",
    },
    "postgresql": {
        "h": "date_trunc('hour', {0})",
        "D": "date_trunc('day', {0})",
        "W-MON": "date_trunc('week', {0})",
        "MS": "date_trunc('month', {0})",
        "QS": "date_trunc('quarter', {0})",
        "YS": "date_trunc('year', {0})",
    },
}


@dataclass(frozen=True)
class Roles:
    """Columns of a table by how a query treats them.

    With several rows in a period, ``totals`` are summed, other numbers are averaged, and of a
    static feature the largest value stands.
    """

    keys: tuple[str, ...]
    time: str
    numbers: tuple[str, ...]
    static: tuple[str, ...] = ()
    totals: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SourceProbe:
    """Questions on ``table`` that its summary does not answer; none is put to the source twice."""

    source: SourceDatabase
    table: TableSummary
    _times: dict[str, NDArray[np.datetime64]] = field(default_factory=dict, repr=False)
    _groups: dict[tuple[frozenset[str], str], int] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.table.columns)

    def column(self, name: str) -> ColumnSummary:
        return next(column for column in self.table.columns if column.name == name)

    def times(self, column: str) -> NDArray[np.datetime64]:
        """Distinct times, sorted, ``datetime64[us]``.

        Where there are more than ``TIMES_MAX``, so many of them, and the first and last day.

        Raises:
            SourceError: a value is no time, or does not sort as one.
        """
        if column not in self._times:
            self._times[column] = self._read_times(column)
        return self._times[column]

    def _read_times(self, column: str) -> NDArray[np.datetime64]:
        schema = pa.schema([(column, pa.timestamp("us"))])
        time = f"{self._time(column)} AS {self.quote(column)}"
        start, end = self._whole(column)
        found: list[NDArray[np.datetime64]] = []
        with self.source.stream(
            f"SELECT DISTINCT {time}\n{self._from(column)}", start=start, end=end, schema=schema
        ) as batches:
            for batch in batches:
                found.append(batch.column(0).to_numpy(zero_copy_only=False))
                if sum(map(len, found)) >= TIMES_MAX:
                    last_day = end - timedelta(days=1)
                    found.append(np.array([start, last_day], "datetime64[us]"))
                    break
        logger.info("%s: %d times looked at", self.table.name, sum(map(len, found)))
        times = np.concatenate(found) if found else np.empty(0, "datetime64[us]")
        return np.unique(times.astype("datetime64[us]"))

    def groups(self, columns: Sequence[str], time: str) -> int:
        """Combinations of values that ``columns`` have in the rows with a time; one scan."""
        asked = (frozenset(columns), time)
        if asked not in self._groups:
            names = ", ".join(map(self.quote, columns))
            start, end = self._whole(time)
            query = f"SELECT DISTINCT {names}\n{self._from(time)}"
            self._groups[asked] = self.source.count(query, start=start, end=end)
            logger.info(
                "%s: %d combinations of %s",
                self.table.name,
                self._groups[asked],
                ", ".join(columns),
            )
        return self._groups[asked]

    def needs_cast(self, time: str) -> bool:
        """The time is text, which this database does not compare with timestamps."""
        text = _TEXT_TYPE.search(self.column(time).sql_type) is not None
        return text and self._dialect.name != "sqlite"

    def query(self, roles: Roles, frequency: str | None) -> str:
        """SELECT of one window, with one row for each group and period where a frequency is given.

        Raises:
            SourceError: this database's way to round times to that frequency is not known.
        """
        time = self._time(roles.time)
        if frequency is None:
            values = [self.quote(name) for name in (*roles.numbers, *roles.static)]
        else:
            time = self._period(frequency).format(time)
            values = [
                self._reduced("SUM" if name in roles.totals else "AVG", name)
                for name in roles.numbers
            ]
            values += [self._reduced("MAX", name) for name in roles.static]
        if time != self.quote(roles.time):
            time += f" AS {self.quote(roles.time)}"
        columns = [*map(self.quote, roles.keys), time, *values]
        select = "SELECT " + ",\n       ".join(columns)
        group = ", ".join(str(number + 1) for number in range(len(roles.keys) + 1))
        last = "" if frequency is None else f"\nGROUP BY {group}"
        return f"{select}\n{self._from(roles.time)}{last}"

    def _period(self, frequency: str) -> str:
        dialect = _PERIOD.get(self._dialect.name, {})
        if frequency not in dialect:
            known = f"; {', '.join(dialect)} can be" if dialect else ""
            raise SourceError(
                f"table {self.table.name!r} has several rows in a period, or times between two "
                f"periods, and how {self._dialect.name} rounds to frequency {frequency!r} is not "
                f"known here{known}. Make a view with one row for each group and period"
            )
        return dialect[frequency]

    def _reduced(self, function: str, name: str) -> str:
        column = self.quote(name)
        value = column
        if function != "MAX" and self.column(name).sql_type.upper().startswith("BOOL"):
            value = f"CAST({column} AS integer)"
        return f"{function}({value}) AS {column}"

    def _from(self, time: str) -> str:
        table = self.table.name
        whole = "." not in table or table in self.source.tables()
        origin = ".".join(map(self.quote, [table] if whole else table.split(".", 1)))
        moment = self._time(time)
        return f"FROM {origin}\nWHERE {moment} >= :window_start AND {moment} < :window_end"

    def _time(self, name: str) -> str:
        column = self.quote(name)
        return f"CAST({column} AS timestamp)" if self.needs_cast(name) else column

    def _whole(self, time: str) -> tuple[datetime, datetime]:
        """Midnights around all of a column's times."""
        column = self.column(time)
        first, last = (
            datetime.fromisoformat(str(v)[:10]) for v in (column.minimum, column.maximum)
        )
        return first, last + timedelta(days=1)

    def quote(self, name: str) -> str:
        quoted: str = self._dialect.identifier_preparer.quote_identifier(name)
        return quoted

    @cached_property
    def _dialect(self) -> sa.Dialect:
        url = re.sub(r"^postgres://", "postgresql://", self.source.url)
        return sa.make_url(url).get_dialect()()
