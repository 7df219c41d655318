from __future__ import annotations

import pytest

from many_models.adapters.registry_server.storage import PackStorage, find_storage

pytestmark = pytest.mark.mlflow

PROXIED = "mlflow-artifacts:/1"


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``mlflow server`` tells its workers."""
    monkeypatch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "/srv/root")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "/srv/served here")


@pytest.mark.parametrize(
    ("destination", "folder"),
    [
        ("/srv/served here", "file:///srv/served%20here/1/packs"),
        ("file:///srv/a", "file:///srv/a/1/packs"),
        ("s3://bucket/a/", "s3://bucket/a/1/packs"),
        ("pack+s3://bucket/a", "s3://bucket/a/1/packs"),
    ],
)
def test_packs_stand_at_the_destination_and_are_read_through_the_server(
    monkeypatch: pytest.MonkeyPatch, destination: str, folder: str
) -> None:
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", destination)

    assert find_storage(PROXIED) == PackStorage(folder, "mlflow-artifacts:/1/packs")


@pytest.mark.parametrize("location", ["/srv/root/1", "file:///srv/root/1"])
def test_packs_stand_below_the_servers_own_root(location: str) -> None:
    folder = "file:///srv/root/1/packs"
    assert find_storage(location) == PackStorage(folder, f"pack+{folder}")


@pytest.mark.parametrize(
    "location",
    [
        "/etc",
        "/srv/rootless",
        "/srv/root/../../etc",
        "file:///srv/root/%2e%2e/%2e%2e/etc",
        "mlflow-artifacts:/1/../2",
        "mlflow-artifacts://elsewhere:5000/1",
        "s3://bucket/root",
        "dbfs:/models",
    ],
)
def test_packs_stand_nowhere_else(location: str) -> None:
    assert isinstance(find_storage(location), str)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("_MLFLOW_SERVER_SERVE_ARTIFACTS", ""),
        ("_MLFLOW_SERVER_ARTIFACT_DESTINATION", ""),
        ("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "ftp://host/artifacts"),
    ],
)
def test_a_server_that_serves_no_artifacts_serves_no_packs(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    assert "--artifacts-destination" in str(find_storage(PROXIED))
