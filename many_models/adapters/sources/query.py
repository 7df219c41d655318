"""The time window of a source query and its parameters, in any database's dialect.

Here belongs what looks at the text of a query. Running one does not: see the readers. Values are
never written into a query; only the places where a driver binds them are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from many_models.core.errors import SourceError

PARAMETERS = ("window_start", "window_end")

# What may hold a colon without being a parameter: comments, strings, quoted names, dollar-quoted
# strings of PostgreSQL, and casts. Block comments nest in PostgreSQL, to one level here.
_TOKENS = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*\*/)
    |(?P<quoted>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`)
    |(?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$)
    |(?P<cast>::)
    |:(?P<parameter>[A-Za-z_]\w*)
    |(?P<end>;\s*)
    |(?P<space>\s+)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Window:
    """The half-open time window [start, end), both naive and in UTC where the source knows zones.

    Raises:
        SourceError: ``end`` is not after ``start``.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value: datetime = getattr(self, name)
            if value.tzinfo is not None:
                object.__setattr__(self, name, value.astimezone(UTC).replace(tzinfo=None))
        if self.end <= self.start:
            raise SourceError(f"the window {self} is empty: its end must be after its start")

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"

    def texts(self) -> tuple[str, str]:
        """Both bounds in the shortest ISO form, for sources that keep times as text (SQLite).

        Text compares character by character, and a text sorts before everything it is the
        beginning of. The shortest form therefore comes before every longer way to write the same
        moment: '2017-01-31' <= '2017-01-31 00:00:00', and neither is before '2017-01-31'.
        """
        return shortest_text(self.start), shortest_text(self.end)


def shortest_text(moment: datetime) -> str:
    if moment.time() == time():
        return moment.date().isoformat()
    if moment.microsecond:
        return moment.isoformat(sep=" ").rstrip("0")
    if moment.second:
        return moment.isoformat(sep=" ")
    return moment.isoformat(sep=" ", timespec="minutes")


@dataclass(frozen=True)
class Question:
    """What is asked of a query's rows: ``SELECT {select} FROM ({query}) source_rows {last}``.

    Each of the ``moments`` is a parameter somewhere in it.
    """

    select: str
    query: str
    last: str
    moments: Mapping[str, datetime]

    def bind(self, place: Callable[[str], str], escape: Callable[[str], str] = str) -> str:
        """Text of the whole, with ``place(name)`` for every parameter, in order."""
        select, query, last = (
            bind_parameters(
                part, place, escape=escape, names=[n for n in self.moments if f":{n}" in part]
            )
            for part in (f"SELECT {self.select}", self.query, self.last)
        )
        return f"{select} FROM ({query}\n) source_rows {last}"


def bind_parameters(
    query: str,
    place: Callable[[str], str],
    *,
    escape: Callable[[str], str] = str,
    names: Sequence[str] = PARAMETERS,
) -> str:
    """The query with ``place(name)`` for every parameter and without a closing semicolon.

    ``escape`` is applied to the rest, piece by piece, for drivers that give a meaning to other
    characters as well.

    Raises:
        SourceError: the query does not use all parameters, so that it would return the same rows
            for every window.
    """
    tokens = list(_TOKENS.finditer(query))
    found = {match["parameter"] for match in tokens}
    missing = [f":{name}" for name in names if name not in found]
    if missing == [":since"]:
        raise SourceError(
            "source.changes does not use :since: it must select what was loaded since then, for "
            "instance WHERE loaded_at >= :since"
        )
    if missing:
        raise SourceError(
            f"the source query does not use {' and '.join(missing)}: it must select one time "
            "window, for instance WHERE sold_at >= :window_start AND sold_at < :window_end"
        )
    meaningful = [m.start() for m in tokens if not (m["comment"] or m["space"] or m["end"])]
    last = meaningful[-1]
    pieces = []
    for match in tokens:
        if match["end"] and match.start() > last:
            continue
        name = match["parameter"]
        pieces.append(place(name) if name in names else escape(match.group()))
    return "".join(pieces).rstrip()
