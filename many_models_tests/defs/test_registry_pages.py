"""Where an operator is sent to see models."""

import dagster as dg
import pytest

from many_models import settings
from many_models.defs.registry_pages import production_pages, training_pages


def test_a_server_is_a_link_and_a_database_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.TRAINING_REGISTRY, "http://user:secret@host:5000")
    monkeypatch.setenv(settings.PRODUCTION_READER, "postgresql://reader:secret@host/registry")
    assert training_pages().link == dg.MetadataValue.url("http://host:5000/#/models")
    assert production_pages().link == dg.MetadataValue.text("many-models mlflow production")
