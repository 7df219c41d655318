"""Resources: settings become adapters."""

from pathlib import Path

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from many_models import settings
from many_models.core.errors import RegistryError, UseCaseError
from many_models.defs.resources import (
    SourceResource,
    SparkResource,
    build_champions,
    build_registry,
    build_resources,
)
from many_models_tests.fakes import make_use_case


def test_settings_are_read_when_a_run_starts_and_not_before(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = build_resources()
    monkeypatch.setenv(settings.LAKE, "/elsewhere")
    with dg.build_resources({"lake": resources["lake"]}) as opened:
        assert opened.lake.open().root == "/elsewhere"


def test_a_source_takes_what_is_secret_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "postgresql://${SHOP_USER}:${SHOP_PASSWORD}@host/shop"
    source = {"url": url, "table": "sales", "start": "2024-01-01"}
    monkeypatch.setenv("SHOP_USER", "ann")
    monkeypatch.setenv("SHOP_PASSWORD", "secret")
    opened = SourceResource().open(make_use_case(source=source))
    assert opened.url == "postgresql://ann:secret@host/shop"
    assert "secret" not in repr(opened)


def test_a_source_without_its_variable_says_which_one_to_set() -> None:
    source = {"url": "sqlite:///${NO_SUCH_FOLDER}/a.db", "table": "sales", "start": "2024-01-01"}
    with pytest.raises(UseCaseError, match="'NO_SUCH_FOLDER'; set it"):
        SourceResource().open(make_use_case(source=source))


def test_a_registry_that_cannot_be_reached_says_so_at_once(home: Path) -> None:
    environ = {
        settings.TRAINING_REGISTRY: "http://127.0.0.1:9",
        settings.TRAINING_ARTIFACTS: "",
    }
    with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:9"):
        build_registry(make_use_case(), "training", environ)


@pytest.mark.mlflow
def test_training_and_production_are_two_registries(home: Path) -> None:
    environ: dict[str, str] = {settings.HOME: str(home)}
    settings.fill_environment(environ)
    build_registry(make_use_case(), "training", environ)
    assert not (home / "registry" / "production").exists()
    build_registry(make_use_case(), "production", environ)
    assert (home / "registry" / "production" / "mlflow.db").is_file()


@pytest.mark.mlflow
def test_production_that_nobody_wrote_to_is_read_as_empty_and_not_made(home: Path) -> None:
    environ: dict[str, str] = {settings.HOME: str(home)}
    settings.fill_environment(environ)
    assert build_champions(make_use_case(), environ).champions("sales") == []
    assert not (home / "registry").exists()


def test_who_may_only_read_production_is_told_what_promoting_takes(tmp_path: Path) -> None:
    environ = {settings.HOME: str(tmp_path), settings.PRODUCTION_READER: "https://reader"}
    settings.fill_environment(environ)
    with pytest.raises(RegistryError, match=r"MANY_MODELS_PRODUCTION_REGISTRY is not set, only"):
        build_registry(make_use_case(), "production", environ)


@pytest.mark.spark
def test_spark_uses_the_session_that_runs(spark: SparkSession) -> None:
    with dg.build_resources({"spark": SparkResource(master="local[2]")}) as opened:
        session = opened.spark.open()
        assert session.sparkContext.applicationId == spark.sparkContext.applicationId
        assert opened.spark.open() is session
    assert spark.range(3).count() == 3
