from __future__ import annotations

import json
import math
import pickle
import re
import socket
import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from many_models.adapters.registry.connection import open_client
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.model_artifact import load_files, load_payload
from many_models.core.errors import RegistryError
from many_models.core.registration import ModelRecord, ModelVersion, RegistrationFailure
from many_models_tests.fakes_models import ConstantModel, constant_record, file_of, tamper_with

pytestmark = pytest.mark.mlflow

ROWS = pd.DataFrame({"day": pd.to_datetime(["2026-01-01", "2026-01-02"]), "price": [1.5, 2.5]})
ODD_VALUES = [
    "CNTRL/STORE SUP",
    'O\'Neil "x"',
    "50% off; a_b, `c` \\ d",
    "🍞 Brot -- und 🧈",
    "x" * 300,
]


@pytest.fixture(params=["bulk", "client", "server"])
def writer(request: pytest.FixtureRequest) -> str:
    """Every test here runs over all writers."""
    return str(request.param)


def register(
    registry: MlflowRegistry, records: Iterable[ModelRecord], **options: Any
) -> list[ModelVersion]:
    outcomes = list(registry.register(records, **options))
    versions = [outcome for outcome in outcomes if isinstance(outcome, ModelVersion)]
    assert len(versions) == len(outcomes), outcomes
    return versions


@pytest.mark.usefixtures("stock_mlflow")
def test_stock_mlflow_loads_what_was_registered(registry: MlflowRegistry) -> None:
    import mlflow

    record = constant_record("grocery.bread", 4.0)
    (version,) = register(registry, [record], alias="champion", example=ROWS)
    source = open_client(registry.uri).get_model_version("grocery.bread", "1").source or ""
    expected = ConstantModel(4.0).predict(ROWS)

    for uri in [
        "models:/grocery.bread@champion",
        "models:/grocery.bread/1",
        source,
        f"runs:/{version.run_id}/model",
    ]:
        pd.testing.assert_frame_equal(mlflow.pyfunc.load_model(uri).predict(ROWS), expected)
    assert mlflow.sklearn.load_model("models:/grocery.bread/1") == ConstantModel(4.0)


@pytest.mark.usefixtures("stock_mlflow")
def test_a_models_explanation_is_one_of_its_files(registry: MlflowRegistry) -> None:
    import mlflow

    text = json.dumps({"candidate": "ridge", "effects": [{"feature": "Preis €"}]}).encode()
    records = [
        replace(constant_record("explained"), files={"explanation.json": text}),
        constant_record("plain"),
    ]
    first, second = register(registry, records, alias="champion", example=ROWS)

    client = open_client(registry.uri)
    listed = {}
    for version in (first, second):
        source = client.get_model_version(version.name, "1").source or ""
        model_id = source.removeprefix("models:/")
        files = client.list_logged_model_artifacts(model_id)
        listed[version.name] = {file.path for file in files}
        mlflow.pyfunc.load_model(f"models:/{version.name}@champion")
    assert listed["explained"] - listed["plain"] == {"explanation.json"}
    path = mlflow.artifacts.download_artifacts("models:/explained/1/explanation.json")
    assert Path(path).read_bytes() == text
    read = registry.read(first)
    assert read.files["explanation.json"] == text
    assert "explanation.json" not in registry.read(second).files
    (again,) = register(registry, [replace(read, name="promoted")])
    assert registry.read(again).files["explanation.json"] == text


# Over HTTP stock MLflow leaves something else: an empty description, and the version named twice.
@pytest.mark.parametrize("writer", ["bulk", "client"])
@pytest.mark.usefixtures("stock_mlflow")
def test_leaves_what_stock_log_model_leaves(registry: MlflowRegistry) -> None:
    record = replace(
        constant_record("grocery.ours", 4.0, group_key="7"),
        metrics={"mase": 0.5, "worst": math.nan},
    )
    for _ in range(2):
        (ours,) = register(registry, [record], alias="champion", example=ROWS)
        stock = log_with_stock_mlflow(replace(record, name="grocery.theirs"), ours)

        assert _left_by(registry, "grocery.ours") == _left_by(registry, stock)
    assert ours.tags["replaces"] == "1"


def log_with_stock_mlflow(record: ModelRecord, like: ModelVersion) -> str:
    """The tutorial's calls, in the same experiment and with the tags that ours ended up with."""
    import mlflow
    from mlflow.models import infer_signature

    client = mlflow.MlflowClient()
    model = pickle.loads(record.payload)
    files = load_files(like.location, like.tags["payload_sha256"], like.name)
    requirements = files["requirements.txt"].decode().splitlines()
    added = ("artifact_location", "replaces")  # to versions, by the registry
    tags = {key: value for key, value in like.tags.items() if key not in added}
    source = {"mlflow.source.name": "many-models", "mlflow.source.type": "JOB"}
    experiment_id = client.get_run(like.run_id).info.experiment_id
    with mlflow.start_run(experiment_id=experiment_id, run_name=record.name, tags=source):
        mlflow.log_params(dict(record.params))
        mlflow.log_metrics(dict(record.metrics))
        mlflow.set_tags(tags)
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=record.name,
            signature=infer_signature(ROWS, model.predict(ROWS)),
            pip_requirements=requirements,
            serialization_format="pickle",
            tags=tags,
        )
    client.set_logged_model_tags(info.model_id, source)
    location = client.get_logged_model(info.model_id).artifact_location
    version = str(info.registered_model_version)
    client.set_model_version_tag(record.name, version, "artifact_location", location)
    if "replaces" in like.tags:
        client.set_model_version_tag(record.name, version, "replaces", like.tags["replaces"])
    for key in ("use_case", "partition", "group_key"):
        client.set_registered_model_tag(record.name, key, tags[key])
    client.set_registered_model_alias(record.name, "champion", version)
    return record.name


def _left_by(registry: MlflowRegistry, name: str) -> dict[str, Any]:
    """Everything MLflow can say about a model, without the ids, times and sources of its own."""
    client = open_client(registry.uri)
    version = client.get_model_version_by_alias(name, "champion")
    assert version.run_id
    assert version.source
    run = client.get_run(version.run_id)
    model = client.get_logged_model(version.source.removeprefix("models:/"))
    files = load_files(model.artifact_location, version.tags["payload_sha256"], name)
    found = {
        "version": dict(version),
        "location": client.get_model_version_download_uri(name, str(version.version)),
        "registered": dict(client.get_registered_model(name), latest_versions=None),
        "run": run.to_dictionary(),
        "history": [
            vars(m)
            for key in run.data.metrics
            for m in client.get_metric_history(version.run_id, key)
        ],
        "model": model.to_dictionary(),
        "files": {name: content.decode("latin-1") for name, content in sorted(files.items())},
        "listed": sorted(file.path for file in client.list_logged_model_artifacts(model.model_id)),
    }
    text = json.dumps(found, sort_keys=True, default=str)
    text = text.replace(model.artifact_location, "LOCATION")
    text = re.sub(r"[0-9a-f]{32}", "ID", text)
    text = re.sub(r"\b1[78]\d{11}\b", "0", text)
    text = re.sub(r"utc_time_created: '[^']*'", "CREATED", text)
    return json.loads(text.replace(name, "NAME"))  # type: ignore[no-any-return]


def test_a_second_registration_makes_a_version_and_moves_the_alias(
    registry: MlflowRegistry,
) -> None:
    register(registry, [constant_record("a", 1.0)], alias="champion")
    register(registry, [constant_record("a", 2.0, partition="18")], alias="champion")

    (champion,) = registry.champions("grocery", ["18"])
    assert champion.version == 2
    assert registry.champions("grocery", ["17"]) == []
    assert pickle.loads(registry.read(champion).payload) == ConstantModel(2.0)


def test_a_version_says_what_it_replaced_under_the_alias(registry: MlflowRegistry) -> None:
    register(registry, [constant_record("a")], alias="champion")
    register(registry, [constant_record("a"), constant_record("b")])  # challengers
    both = [constant_record("a"), constant_record("a"), constant_record("b")]
    outcomes = register(registry, both, alias="champion")

    replaced = [(v.name, v.version, v.tags.get("replaces")) for v in outcomes]
    assert replaced == [("a", 3, "1"), ("a", 4, "3"), ("b", 2, None)]
    assert registry.versions("grocery")[2:4] == outcomes[:2]
    assert [v.tags.get("replaces") for v in registry.versions("grocery")] == [
        *(None, None, "1", "3"),
        *(None, None),
    ]


def test_what_a_version_went_through_elsewhere_is_not_told_of_its_copy(
    registry: MlflowRegistry,
) -> None:
    gone = {"replaces": "7", "rolled_back_at": "2026-01-01", "rollback_reason": "bad"}
    (version,) = register(registry, [constant_record("a", 1.0, **gone)], alias="champion")
    assert not gone.keys() & version.tags.keys()
    assert registry.versions("grocery") == [version]


def test_a_challenger_of_another_partition_leaves_the_champion_where_it_is(
    registry: MlflowRegistry,
) -> None:
    (champion,) = register(registry, [constant_record("a", partition="17")], alias="champion")
    register(registry, [constant_record("a", partition="18")])

    assert registry.champions("grocery", ["17"]) == [champion]
    assert registry.champions("grocery", ["18"]) == []


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (constant_record("with/slash"), "Invalid model name"),
        (replace(constant_record("bad tag"), tags={"what?": "x"}), "Invalid value"),
        (replace(constant_record("bad pickle"), payload=b"not a pickle"), "UnpicklingError"),
    ],
)
def test_a_refused_record_does_not_stop_its_neighbours(
    registry: MlflowRegistry, refused: ModelRecord, reason: str
) -> None:
    outcomes = list(registry.register([refused, constant_record("good")], alias="champion"))

    failure, good = outcomes
    assert isinstance(failure, RegistrationFailure)
    assert failure.name == refused.name
    assert reason in failure.error
    assert isinstance(good, ModelVersion)
    assert [champion.name for champion in registry.champions("grocery")] == ["good"]


def test_an_artifact_folder_that_vanished_is_the_registrys_failure(
    registry: MlflowRegistry, tmp_path: Path
) -> None:
    registry.check()
    artifacts = tmp_path / "training" / "artifacts"
    artifacts.rmdir()
    artifacts.write_text("a file stands in the way")

    with pytest.raises(RegistryError, match="cannot be used"):
        list(registry.register([constant_record("a")]))


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http://", "postgresql://me:secret@"])
def test_a_server_that_does_not_answer_is_named_without_its_password(scheme: str) -> None:
    port = _closed_port()
    registry = MlflowRegistry(f"{scheme}127.0.0.1:{port}/registry", None, "training")

    with pytest.raises(RegistryError, match=f"nothing answers at 127.0.0.1:{port}") as caught:
        registry.check()
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes, not a database" * 50)

    with pytest.raises(RegistryError, match=r"notes\.db.*not a database"):
        MlflowRegistry(f"sqlite:///{path}", str(tmp_path), "training").check()


def test_check_makes_the_folders_of_a_new_registry(tmp_path: Path) -> None:
    folder = tmp_path / "new folder" / "registry"
    registry = MlflowRegistry(f"sqlite:///{folder}/r.db", str(folder / "artifacts"), "training")

    registry.check()

    assert (folder / "artifacts").is_dir()
    assert registry.champions("grocery") == []


def test_a_deleted_experiment_is_told_with_its_remedy(registry: MlflowRegistry) -> None:
    client = open_client(registry.uri)
    client.delete_experiment(client.create_experiment("training"))

    with pytest.raises(RegistryError, match="mlflow experiments restore"):
        registry.check()


def test_leaves_mlflows_global_settings_and_the_current_folder_alone(
    registry: MlflowRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    register(registry, [constant_record("a")], alias="champion")

    assert not mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("value", ODD_VALUES)
def test_champions_are_found_by_any_partition_value(registry: MlflowRegistry, value: str) -> None:
    near = value.translate(str.maketrans("'\"`\\;%", "______"))
    records = [constant_record("a", partition=value), constant_record("b", partition=near + "_")]
    register(registry, records, alias="champion")

    (champion,) = registry.champions("grocery", [value])
    assert champion.name == "a"
    assert champion.tags["partition"] == value
    assert registry.versions("grocery", {"partition": value}) == [champion]


def test_champions_are_those_under_the_alias_of_that_use_case(registry: MlflowRegistry) -> None:
    register(registry, [constant_record("a", 1.0), constant_record("b", 1.0)], alias="champion")
    register(registry, [constant_record("a", 2.0), constant_record("c", 2.0)])  # challengers
    register(registry, [constant_record("d", use_case="fuel")], alias="champion")

    champions = registry.champions("grocery")

    assert [(champion.name, champion.version) for champion in champions] == [("a", 1), ("b", 1)]
    assert pickle.loads(registry.read(champions[0]).payload) == ConstantModel(1.0)


def test_champions_of_many_partitions_at_once(registry: MlflowRegistry) -> None:
    partitions = [str(number) for number in range(30)]
    records = [constant_record(f"m{number}", partition=number) for number in partitions]
    register(registry, records, alias="champion")

    assert len(registry.champions("grocery")) == 30
    assert len(registry.champions("grocery", partitions[:25])) == 25
    assert [v.name for v in registry.champions("grocery", ["3", "7"])] == ["m3", "m7"]
    assert registry.champions("grocery", []) == []


def test_versions_are_found_by_tags(registry: MlflowRegistry) -> None:
    register(registry, [constant_record(name, run_id="first") for name in ("a", "b")])
    register(registry, [constant_record("a", run_id="second")])

    found = registry.versions("grocery", {"run_id": "first"})
    assert [(v.name, v.version) for v in found] == [("a", 1), ("b", 1)]
    assert [(v.name, v.version) for v in registry.versions("grocery")] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
    ]


def test_a_record_comes_back_as_it_was_registered(registry: MlflowRegistry) -> None:
    odd = {f"odd{number}": value for number, value in enumerate(ODD_VALUES)}
    record = replace(
        constant_record("a", 4.0, **odd),
        metrics={"mase": 0.25, "coverage": math.nan},
        params={"features": "price, promotion", "note": "x" * 3000},
    )
    (version,) = register(registry, [record])

    found = registry.read(version)

    assert found.payload == record.payload
    assert found.metrics["mase"] == 0.25
    assert math.isnan(found.metrics["coverage"])
    assert found.params == record.params
    assert record.tags.items() <= found.tags.items()
    assert set(found.key_tags) == {"use_case", "partition", "group_key"}
    assert registry.metrics([version])[version.run_id]["mase"] == 0.25


def test_a_tampered_payload_is_refused_by_name(registry: MlflowRegistry) -> None:
    a, b = register(registry, [constant_record("a"), constant_record("b")])
    tamper_with(a, 666.0)

    with pytest.raises(RegistryError, match=r"model a: .* has SHA-256 .* was not loaded"):
        registry.read(a)
    with pytest.raises(RegistryError, match=r"model a: .* has SHA-256 .* was not loaded"):
        load_payload(a.location, a.tags["payload_sha256"], a.name)
    file_of(b).unlink()
    with pytest.raises(RegistryError, match=r"model b: .* restore"):
        registry.read(b)


def test_two_writers_at_once_leave_versions_without_gaps(registry: MlflowRegistry) -> None:
    registry.check()
    others = [MlflowRegistry(registry.uri, registry.artifact_root, "training") for _ in range(2)]
    records = [constant_record(name) for name in ("a", "b", "c", "d")]

    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda other: register(other, records, alias="champion"), others))

    found = [(v.name, v.version) for v in registry.versions("grocery")]
    assert found == [(name, number) for name in ("a", "b", "c", "d") for number in (1, 2)]


def test_a_server_serves_as_well_as_a_database(registry_server: str) -> None:
    registry = MlflowRegistry(registry_server, None, "training")
    _finds_and_reads_what_it_registers(registry)


@pytest.mark.postgres
def test_postgres_serves_as_well_as_sqlite(postgres_url: str, tmp_path: Path) -> None:
    registry = MlflowRegistry(postgres_url, str(tmp_path / "artifacts"), "training")
    _finds_and_reads_what_it_registers(registry)


def _finds_and_reads_what_it_registers(registry: MlflowRegistry) -> None:
    registry.check()
    records = [constant_record(f"m{n}", float(n), partition=v) for n, v in enumerate(ODD_VALUES)]
    register(registry, records, alias="champion", example=ROWS)
    register(registry, [constant_record("m1", 9.0)])

    for record, value in zip(records, ODD_VALUES, strict=True):
        (champion,) = registry.champions("grocery", [value])
        assert (champion.name, champion.version) == (record.name, 1)
        found = registry.read(champion)
        assert found.payload == record.payload
        assert found.metrics == record.metrics
        assert set(found.files) >= {"MLmodel", "requirements.txt"}
    assert len(registry.versions("grocery")) == 6


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_new_database_has_a_write_ahead_log_and_an_old_one_keeps_its_journal(
    tmp_path: Path, registry: MlflowRegistry
) -> None:
    def journal(path: Path) -> str:
        with sqlite3.connect(path) as connection:
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])

    old = tmp_path / "training" / "registry.db"
    with sqlite3.connect(old) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    registry.check()
    MlflowRegistry(f"sqlite:///{tmp_path}/new.db", str(tmp_path), "training").check()

    assert journal(old) == "delete"
    assert journal(tmp_path / "new.db") == "wal"
