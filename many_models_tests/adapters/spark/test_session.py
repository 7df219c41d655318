from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from many_models.adapters.spark.session import LOG_SETTINGS, check_java, spark_settings
from many_models.core.errors import PrerequisiteError


def _fake_java(home: Path, answer: str) -> None:
    (home / "bin").mkdir()
    java = home / "bin" / "java"
    java.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{answer}\nEND\n")
    java.chmod(0o755)


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', "17"),
        ('java version "21" 2023-09-19 LTS', "21"),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "25-ea" 2025-09-16', "25"),
    ],
)
def test_java_that_is_new_enough_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, version: str
) -> None:
    _fake_java(tmp_path, answer)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert check_java() == version


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('openjdk version "1.8.0_402"', "Java 17 or later, .* is 8; install one"),
        ('openjdk version "11.0.22" 2024-01-16', "is 11; install one"),
        ("Segmentation fault", "does not tell its version .*; install one"),
    ],
)
def test_java_that_will_not_do_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, message: str
) -> None:
    _fake_java(tmp_path, answer)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(PrerequisiteError, match=message):
        check_java()


def test_missing_java_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(PrerequisiteError, match=r"there is none; install one .* or set JAVA_HOME"):
        check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match="there is none"):
        check_java()


def test_only_a_local_master_is_bound_to_loopback() -> None:
    assert spark_settings("local[2]")["spark.driver.host"] == "127.0.0.1"
    assert "spark.driver.host" not in spark_settings("spark://master:7077")
    assert LOG_SETTINGS.is_file()


@pytest.mark.spark
def test_python_workers_run_native_libraries_in_one_thread_and_know_our_package(
    spark: SparkSession,
) -> None:
    def look(_: int) -> tuple[str | None, str]:
        import os

        import many_models

        return os.environ.get("OMP_NUM_THREADS"), many_models.__version__

    import many_models

    found = spark.sparkContext.parallelize([1, 2], 2).map(look).collect()
    assert found == [("1", many_models.__version__)] * 2
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
