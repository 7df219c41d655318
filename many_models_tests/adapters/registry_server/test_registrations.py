from __future__ import annotations

import json
import pickle
import sqlite3
from contextlib import closing

import pytest
import requests

from many_models.adapters.registry.artifact_template import ArtifactTemplate, Identity
from many_models.adapters.registry.connection import open_client
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.model_artifact import load_payload
from many_models.adapters.registry.registration_stream import (
    CONTENT_TYPE,
    PATH,
    Header,
    describe_files,
    read_outcomes,
    write_records,
)
from many_models.adapters.registry.server_writer import ask_server
from many_models.core.registration import ModelVersion, RegistrationFailure
from many_models_tests.adapters.conftest import RunningServer
from many_models_tests.fakes_models import ConstantModel, constant_record

pytestmark = pytest.mark.mlflow


@pytest.fixture
def experiment_id(app_server: RunningServer) -> str:
    """An experiment of an empty registry, whose artifacts the server hands out."""
    app_server.clear()
    return open_client(app_server.url).create_experiment("grocery", "mlflow-artifacts:/e1")


@pytest.fixture(scope="module")
def files() -> str:
    template = ArtifactTemplate.from_model(ConstantModel(1.0), None)
    found = template.render(Identity("-", "-", "-"), b"")
    del found["model.pkl"]
    return describe_files(found)


def post(server: RunningServer, experiment_id: str, body: bytes) -> requests.Response:
    return requests.post(
        f"{server.url}{PATH}",
        params={"experiment_id": experiment_id},
        data=body,
        headers={"Content-Type": CONTENT_TYPE},
        timeout=60,
    )


def count_versions(server: RunningServer) -> int:
    with closing(sqlite3.connect(server.database)) as database:
        return int(
            database.execute("SELECT count(*) FROM model_versions WHERE name = 'a'").fetchone()[0]
        )


def test_two_thousand_models_are_registered_by_one_request_and_read_through_the_server(
    app_server: RunningServer, experiment_id: str, files: str
) -> None:
    records = [constant_record(f"m{n:04d}", n, partition=str(n % 10)) for n in range(2_000)]
    header = Header("champion", {"mlflow.user": "me", "mlflow.source.name": "many-models"})

    answer = post(app_server, experiment_id, write_records(records, [files] * 2_000, header))

    assert answer.status_code == 200
    outcomes = read_outcomes(answer.content, records)
    registry = MlflowRegistry(app_server.url, None, "grocery")
    assert registry.champions("grocery") == outcomes
    champions = registry.champions("grocery", ["7"])
    assert len(champions) == 200
    for champion in champions[:3]:
        assert champion.location.startswith("mlflow-artifacts:/e1/packs/")
        payload = load_payload(
            champion.location, champion.tags["payload_sha256"], "m", registry_uri=app_server.url
        )
        assert pickle.loads(payload) == ConstantModel(int(champion.name[1:]))
    run = open_client(app_server.url).get_run(champions[0].run_id)
    assert run.info.user_id == "me"
    assert run.data.metrics["mase"] == int(champions[0].name[1:]) / 10


def test_the_pages_of_mlflow_send_the_files_of_a_pack_through_the_server(
    app_server: RunningServer, experiment_id: str, files: str
) -> None:
    record = constant_record("bread")
    post(app_server, experiment_id, write_records([record], [files], Header(None, {})))
    found = open_client(app_server.url).get_model_version("bread", "1")
    model = f"/ajax-api/2.0/mlflow/logged-models/{(found.source or '').split('/')[1]}/artifacts"

    listed = json.loads(app_server.get(f"{model}/directories"))["files"]
    assert {"MLmodel", "model.pkl"} <= {file["path"] for file in listed}
    page = f"{model}/files?artifact_file_path=model.pkl"
    assert app_server.get(page) == record.payload
    page = "/model-versions/get-artifact?name=bread&version=1&path=model.pkl"
    assert app_server.get(page) == record.payload


def test_what_is_refused_says_why_and_stops_no_neighbour(
    app_server: RunningServer, experiment_id: str, files: str
) -> None:
    records = [constant_record("a/b"), constant_record("good")]
    body = write_records(records, [files] * 2, Header(None, {}))

    refused, good = read_outcomes(post(app_server, experiment_id, body).content, records)

    assert isinstance(refused, RegistrationFailure)
    assert "Invalid model name" in refused.error
    assert isinstance(good, ModelVersion)


def _body(files: str, alias: str | None = None, **tags: str) -> bytes:
    records = [constant_record("a"), constant_record("b", 1.0, **tags)]
    return write_records(records, [files] * 2, Header(alias, {}))


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("half", "complete"),
        ("nothing", "complete"),
        ("alias", "alias name"),
        ("prompt", "is a prompt"),
        ("existing prompt", "name of a prompt"),
        ("source tag", "Invalid value"),
    ],
)
def test_a_request_that_cannot_be_taken_as_a_whole_leaves_nothing(
    app_server: RunningServer, experiment_id: str, files: str, case: str, reason: str
) -> None:
    if case == "existing prompt":
        client = open_client(app_server.url)
        client.register_prompt("b", "{{ question }}")
    tags = {"mlflow.prompt.is_prompt": "true"} if case == "prompt" else {}
    body = {
        "half": _body(files)[:-100],
        "nothing": b"",
        "alias": _body(files, alias="v1"),
        "source tag": write_records([constant_record("a")], [files], Header(None, {"a\nb?": ""})),
    }.get(case, _body(files, **tags))

    answer = post(app_server, experiment_id, body)

    assert answer.status_code == 400
    assert reason in answer.json()["message"]
    assert count_versions(app_server) == 0
    assert list(app_server.artifacts.glob("e1/packs/*")) == []


@pytest.mark.parametrize(("experiment", "status"), [("", 400), ("x", 400), ("4711", 404)])
def test_an_experiment_that_is_not_there_is_told(
    app_server: RunningServer, files: str, experiment: str, status: int
) -> None:
    app_server.clear()

    assert post(app_server, experiment, _body(files)).status_code == status


def test_a_place_that_is_not_the_servers_own_is_refused(
    app_server: RunningServer, files: str
) -> None:
    app_server.clear()
    elsewhere = open_client(app_server.url).create_experiment("elsewhere", "/etc/many-models")

    answer = post(app_server, elsewhere, _body(files))

    assert answer.status_code == 501
    assert "outside of the server's own place" in answer.json()["message"]
    offer = requests.get(f"{app_server.url}{PATH}?experiment_id={elsewhere}", timeout=60).json()
    assert not offer["bulk"]


def test_tables_that_are_not_those_we_know_are_left_to_mlflow(
    app_server: RunningServer, experiment_id: str, files: str
) -> None:
    with closing(sqlite3.connect(app_server.database)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'feedc0ffee00'")
        database.commit()

    choice = ask_server(app_server.url, experiment_id)
    answer = post(app_server, experiment_id, _body(files))

    assert choice.name == "client"
    assert "revision feedc0ffee00" in choice.reason
    assert answer.status_code == 501
    assert "revision feedc0ffee00" in answer.json()["message"]
