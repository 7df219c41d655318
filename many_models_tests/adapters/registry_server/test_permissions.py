from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from many_models.adapters.registry.connection import open_client
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.registration_stream import PATH
from many_models.core.errors import RegistryError
from many_models.core.registration import ModelVersion
from many_models_tests.adapters.conftest import RunningServer, running_server
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow

PASSWORD = "a password for tests"
CONFIGURATION = """
[mlflow]
default_permission = {default}
database_uri = sqlite:///{folder}/users.db
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, empty_registry_database: Path, installed: Path
) -> Iterator[RunningServer]:
    """A server that lets users do what they were granted; two workers set up its users at once."""
    folder = tmp_path_factory.mktemp("auth server")
    configuration = folder / "auth.ini"
    configuration.write_text(CONFIGURATION.format(default="NO_PERMISSIONS", folder=folder))
    options = ["--app-name", "many-models-auth", "--artifacts-destination", str(folder / "served")]
    environment = {
        "MLFLOW_AUTH_CONFIG_PATH": str(configuration),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "for tests",
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
    }
    with running_server(
        folder, empty_registry_database, installed, *options, workers=2, environment=environment
    ) as running:
        for user in ("reader", "editor", "creator", "nobody"):
            as_admin(running, "2.0/mlflow/users/create", username=user, password=PASSWORD)
        yield running


def as_admin(server: RunningServer, call: str, **values: str) -> None:
    answer = requests.post(
        f"{server.url}/api/{call}", json=values, auth=("admin", PASSWORD), timeout=60
    )
    # Users and what they were granted stay when the registry is cleared.
    assert answer.ok or answer.json()["error_code"] == "RESOURCE_ALREADY_EXISTS", answer.text


def grant(server: RunningServer, user: str, kind: str, which: str, permission: str) -> None:
    what = {"resource_type": kind, "resource_id": which, "permission": permission}
    as_admin(server, "3.0/mlflow/users/permissions/grant", username=user, **what)


@pytest.fixture
def experiment_id(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """An experiment of an empty registry that ``editor`` may edit and ``reader`` may see."""
    server.clear()
    become("admin", monkeypatch)
    experiment_id = open_client(server.url).create_experiment("grocery")
    for user, permission in (("reader", "READ"), ("editor", "EDIT"), ("creator", "EDIT")):
        grant(server, user, "experiment", experiment_id, permission)
    grant(server, "editor", "registered_model", "mine", "EDIT")
    return experiment_id


def become(user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow's client, and ours, be that user from now on."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)


def post(server: RunningServer, experiment_id: str, user: str | None) -> int:
    answer = requests.post(
        f"{server.url}{PATH}?experiment_id={experiment_id}",
        data=b"no stream",
        auth=(user, PASSWORD) if user else None,
        timeout=60,
    )
    return answer.status_code


@pytest.mark.parametrize(
    ("user", "status"),
    [
        (None, 401),
        ("stranger", 401),
        ("nobody", 403),
        ("reader", 403),
        ("editor", 400),  # let in, and only then read
        ("admin", 400),
    ],
)
def test_who_may_not_edit_the_experiment_is_refused_before_anything_is_read(
    server: RunningServer, experiment_id: str, user: str | None, status: int
) -> None:
    assert post(server, experiment_id, user) == status


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("nobody", 403), ("reader", 200)])
def test_what_the_server_can_do_is_told_to_who_may_see_the_experiment(
    server: RunningServer, experiment_id: str, user: str | None, status: int
) -> None:
    credentials = (user, PASSWORD) if user else None
    url = f"{server.url}{PATH}?experiment_id={experiment_id}"
    assert requests.get(url, auth=credentials, timeout=60).status_code == status


def test_models_of_others_are_not_touched_and_ones_own_are(
    server: RunningServer, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = MlflowRegistry(server.url, None, "grocery")
    for name in ("mine", "theirs"):
        assert isinstance(next(admin.register([constant_record(name)])), ModelVersion)
    become("editor", monkeypatch)
    editor = MlflowRegistry(server.url, None, "grocery")

    assert editor.writer.name == "server"
    with pytest.raises(RegistryError, match=r"403 .*you may not change .*'theirs'"):
        list(editor.register([constant_record("mine"), constant_record("theirs")]))
    (version,) = editor.register([constant_record("mine")], alias="champion")

    assert isinstance(version, ModelVersion)
    assert version.version == 2
    become("admin", monkeypatch)
    found = admin.versions("grocery")
    assert [(v.name, v.version) for v in found] == [("mine", 1), ("mine", 2), ("theirs", 1)]


def test_who_makes_a_model_manages_it(
    server: RunningServer, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    become("creator", monkeypatch)
    registry = MlflowRegistry(server.url, None, "grocery")
    records = [constant_record(name) for name in ("a", "b")]

    first = list(registry.register(records, alias="champion"))
    second = list(registry.register(records, alias="champion"))

    assert [v.version for v in (*first, *second) if isinstance(v, ModelVersion)] == [1, 1, 2, 2]
    champions = registry.champions("grocery")
    assert champions == second
    assert registry.read(champions[0]).payload == records[0].payload
    open_client(server.url).delete_registered_model("a")


def test_a_reader_is_told_that_nothing_was_written(
    server: RunningServer, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    become("reader", monkeypatch)
    registry = MlflowRegistry(server.url, None, "grocery")

    with pytest.raises(RegistryError, match=r"403 .*you may not change experiment"):
        list(registry.register([constant_record("a")]))
    become("admin", monkeypatch)
    assert MlflowRegistry(server.url, None, "grocery").versions("grocery") == []
