"""Each thing that must be there, broken: what is said of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from many_models import settings
from many_models.core.errors import ManyModelsError, UseCaseError
from many_models.prerequisites import examinations
from many_models_tests.fakes import make_use_case

URL = "sqlite:///${MANY_MODELS_HOME}/no-such.db"
USE_CASE = make_use_case(source={"url": URL, "table": "sales", "start": "2024-01-01"})


def examine(name: str, home: Path, **environ: str) -> None:
    given = {settings.HOME: str(home), **environ}
    settings.fill_environment(given)
    examinations([USE_CASE], USE_CASE, given)[name]()


def test_everything_that_a_run_needs_is_examined(tmp_path: Path) -> None:
    environ = {settings.HOME: str(tmp_path)}
    settings.fill_environment(environ)
    assert list(examinations([USE_CASE], USE_CASE, environ)) == [
        "Java",
        "Spark",
        "lake",
        "result store",
        "training registry",
        "production registry",
        "production registry, for reading",
        "source of sales",
    ]


def test_a_process_that_only_reads_production_is_not_asked_to_write_there(tmp_path: Path) -> None:
    environ = {settings.HOME: str(tmp_path), settings.PRODUCTION_READER: "sqlite:///prod.db"}
    settings.fill_environment(environ)
    names = [n for n in examinations([], USE_CASE, environ) if n.startswith("production")]
    assert names == ["production registry, for reading"]


@pytest.mark.parametrize(
    ("name", "variable", "value", "remedy"),
    [
        ("lake", settings.LAKE, "{blocked}/lake", "change MANY_MODELS_LAKE"),
        ("lake", settings.LAKE, "nowhere://lake", "change MANY_MODELS_LAKE"),
        ("result store", settings.STORE, "sqlite:///{blocked}/a.db", "(?i)check"),
        ("result store", settings.STORE, "mysql://host/a", "give sqlite:"),
        ("training registry", settings.TRAINING_REGISTRY, "http://127.0.0.1:9", "check its URL"),
        (
            "production registry",
            settings.PRODUCTION_REGISTRY,
            "sqlite:///{blocked}/a.db",
            "check its URL",
        ),
        (
            "production registry, for reading",
            settings.PRODUCTION_READER,
            "postgresql://reader@127.0.0.1:9/production",
            "nothing answers at 127.0.0.1:9",
        ),
        ("source of sales", settings.HOME, "{blocked}", "Check its address"),
    ],
)
def test_what_is_broken_is_named_with_a_remedy(
    tmp_path: Path, name: str, variable: str, value: str, remedy: str
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("no folder")
    with pytest.raises(ManyModelsError, match=remedy):
        examine(name, tmp_path, **{variable: value.format(blocked=blocked)})


def test_a_load_time_that_is_not_there_is_named_by_its_field(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE sales (date TEXT, loaded TEXT)")
    source = {"url": f"sqlite:///{tmp_path}/shop.db", "table": "sales", "start": "2024-01-01"}
    environ = {settings.HOME: str(tmp_path)}
    settings.fill_environment(environ)
    watched = make_use_case(source={**source, "loaded_at": "loaded_at"})
    with pytest.raises(UseCaseError, match=r"source\.loaded_at of 'sales': .* mean 'loaded'\?"):
        examinations([watched], watched, environ)["source of sales"]()


def test_a_missing_java_is_answered_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    for name in ("Java", "Spark"):
        with pytest.raises(ManyModelsError, match="install one"):
            examine(name, tmp_path)


def test_a_spark_that_does_not_start_is_named_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any) -> None:
        raise RuntimeError("Could not parse Master URL\nand 200 lines more")

    monkeypatch.setattr("many_models.adapters.spark.session.start_session", start)
    text = "does not run at spork: Could not parse Master URL; change MANY_MODELS_SPARK_MASTER"
    with pytest.raises(ManyModelsError, match=text):
        examine("Spark", tmp_path, **{settings.SPARK_MASTER: "spork"})


def test_a_lake_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    examine("lake", tmp_path)
    assert list((tmp_path / "lake").iterdir()) == []


@pytest.mark.spark
def test_a_spark_that_runs_is_fine(tmp_path: Path, spark: SparkSession) -> None:
    examine("Spark", tmp_path, **{settings.SPARK_MASTER: "local[2]"})
    assert spark.range(1).count() == 1
