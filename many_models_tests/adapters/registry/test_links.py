from __future__ import annotations

from many_models.adapters.registry.links import models_url, version_url


def test_a_server_has_pages_of_models_and_versions() -> None:
    assert models_url("https://mlflow.example.com/") == "https://mlflow.example.com/#/models"
    assert version_url("http://host:5000", "sales.17.a b/c", 3) == (
        "http://host:5000/#/models/sales.17.a%20b%2Fc/versions/3"
    )


def test_credentials_are_in_no_link() -> None:
    url = version_url("http://user:secret@host:5000/prefix", "sales.17", 1)
    assert url == "http://host:5000/prefix/#/models/sales.17/versions/1"


def test_a_database_has_no_pages() -> None:
    assert models_url("sqlite:///mlflow.db") is None
    assert version_url("postgresql://user@host/db", "sales.17", 1) is None
