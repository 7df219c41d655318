"""Settings: defaults below the home folder, and secrets from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from many_models import settings
from many_models.core.errors import UseCaseError
from many_models_tests.fakes import make_use_case


def url_of(url: str, **environ: str) -> str:
    source = {"url": url, "table": "sales", "start": "2024-01-01"}
    return settings.source_url(make_use_case(source=source), environ)


def test_everything_lies_below_the_home_folder_by_default(tmp_path: Path) -> None:
    environ = {settings.HOME: str(tmp_path)}
    assert settings.fill_environment(environ) == tmp_path
    paths = set(environ) - {settings.SPARK_MASTER, settings.EVENT_BATCH}
    assert all(str(tmp_path) in environ[name] for name in paths)
    assert environ[settings.TRAINING_REGISTRY] != environ[settings.PRODUCTION_REGISTRY]


def test_without_a_home_it_is_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings.fill_environment({}) == tmp_path / ".many_models"


def test_what_is_set_stays(tmp_path: Path) -> None:
    environ = {settings.HOME: str(tmp_path), settings.STORE: "postgresql://host/results"}
    settings.fill_environment(environ)
    assert environ[settings.STORE] == "postgresql://host/results"


def test_production_is_read_where_it_is_written(tmp_path: Path) -> None:
    environ = {settings.HOME: str(tmp_path), settings.PRODUCTION_REGISTRY: "https://production"}
    settings.fill_environment(environ)
    assert environ[settings.PRODUCTION_READER] == "https://production"


def test_who_is_given_a_reader_gets_no_registry_to_write_by_default(tmp_path: Path) -> None:
    environ = {settings.HOME: str(tmp_path), settings.PRODUCTION_READER: "https://reader"}
    settings.fill_environment(environ)
    settings.fill_environment(environ)  # as a process that this one starts
    assert environ[settings.PRODUCTION_REGISTRY] == ""
    assert environ[settings.PRODUCTION_READER] == "https://reader"


def test_a_home_with_braces_is_taken_as_it_is(tmp_path: Path) -> None:
    environ = {settings.HOME: f"{tmp_path}/{{odd}}"}
    settings.fill_environment(environ)
    assert environ[settings.LAKE] == f"{tmp_path}/{{odd}}/lake"


def test_a_placeholder_takes_its_value_from_the_environment() -> None:
    assert url_of("postgresql://ann:${PASSWORD}@host/shop", PASSWORD="a$b") == (
        "postgresql://ann:a$b@host/shop"
    )


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(UseCaseError, match="needs the environment variable 'PASSWORD'; set it"):
        url_of("postgresql://ann:${PASSWORD}@host/shop")


def test_a_dollar_sign_that_begins_no_name_is_explained() -> None:
    with pytest.raises(UseCaseError, match=r"write '\$\$' for a plain one"):
        url_of("postgresql://ann:1$@host/shop")
