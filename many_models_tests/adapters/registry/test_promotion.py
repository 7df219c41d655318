from __future__ import annotations

import pickle
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.model_artifact import load_payload
from many_models.adapters.registry.promotion import promote
from many_models.core.registration import ModelVersion
from many_models_tests.fakes_crashes import find_faults, finish, half_promoted, kill_within, start
from many_models_tests.fakes_models import ConstantModel, constant_record, tamper_with

pytestmark = pytest.mark.mlflow

ROWS = pd.DataFrame({"price": [1.5, 2.5]})
PROMOTE = """
import sys
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.promotion import promote
training = MlflowRegistry(sys.argv[1], sys.argv[2], "training", allow_bulk=False)
production = MlflowRegistry(sys.argv[3], sys.argv[4], "production", allow_bulk=False)
for promotion in promote(training, production, training.versions("grocery"), {}):
    pass
"""


def _register(registry: MlflowRegistry, values: dict[str, float]) -> list[ModelVersion]:
    records = [constant_record(name, value) for name, value in values.items()]
    outcomes = list(registry.register(records, example=ROWS))
    return [outcome for outcome in outcomes if isinstance(outcome, ModelVersion)]


def _champion_values(production: MlflowRegistry) -> dict[str, float]:
    models = {
        version.name: pickle.loads(
            load_payload(version.location, version.tags["payload_sha256"], version.name)
        )
        for version in production.champions("grocery")
    }
    return {name: model.value for name, model in models.items()}


def test_promoted_models_are_champions_with_their_origin_and_verdict(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    a, b = _register(registry, {"a": 1.0, "b": 2.0})

    outcomes = list(promote(registry, production, [a, b], {"a": {"verdict": "beats baseline"}}))

    assert [(p.name, p.outcome) for p in outcomes] == [("a", "promoted"), ("b", "promoted")]
    champion = production.champions("grocery")[0]
    assert champion == outcomes[0].version
    assert champion.tags["training_run"] == a.run_id
    assert champion.tags["training_version"] == "1"
    assert champion.tags["verdict"] == "beats baseline"
    assert "promoted_at" in champion.tags
    assert "promoted_by" not in champion.tags  # nobody said which run this is
    assert champion.tags["payload_sha256"] == a.tags["payload_sha256"]
    assert production.metrics([champion])[champion.run_id] == {"mase": 0.1}


@pytest.mark.usefixtures("entry_points")
def test_production_stands_without_the_training_registry(
    registry: MlflowRegistry, production: MlflowRegistry, tmp_path: Path
) -> None:
    import mlflow

    list(promote(registry, production, _register(registry, {"a": 1.0}), {}))
    (tmp_path / "training").rename(tmp_path / "gone")

    assert _champion_values(production) == {"a": 1.0}
    (champion,) = production.champions("grocery")
    served = mlflow.pyfunc.load_model(champion.location)
    assert served.metadata.signature.inputs.input_names() == ["price"]
    pd.testing.assert_frame_equal(served.predict(ROWS), ConstantModel(1.0).predict(ROWS))


def test_promoting_again_changes_nothing(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    versions = _register(registry, {"a": 1.0, "b": 2.0})
    list(promote(registry, production, versions, {}))
    before = production.versions("grocery")

    again = list(promote(registry, production, versions, {}))

    assert [(p.name, p.outcome) for p in again] == [("a", "unchanged"), ("b", "unchanged")]
    assert production.versions("grocery") == before


def test_a_newer_training_version_replaces_the_champion(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    list(promote(registry, production, _register(registry, {"a": 1.0, "b": 2.0}), {}))

    (outcome,) = promote(registry, production, _register(registry, {"a": 3.0}), {})

    assert outcome.version is not None
    assert outcome.version.version == 2
    assert outcome.version.tags["replaces"] == "1"
    assert _champion_values(production) == {"a": 3.0, "b": 2.0}


def test_a_tampered_model_is_not_promoted_and_the_others_are(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    a, b = _register(registry, {"a": 1.0, "b": 2.0})
    tamper_with(a, 666.0)

    outcomes = {p.name: p for p in promote(registry, production, [a, b], {})}

    assert outcomes["a"].outcome == "failed"
    assert "model a" in (outcomes["a"].error or "")
    assert _champion_values(production) == {"b": 2.0}


@pytest.mark.parametrize("writer", ["client"])  # the other promotes a partition as a whole
@pytest.mark.parametrize("champions_at_kill", [1, 5])
def test_a_promotion_killed_in_the_middle_is_completed_by_the_next(
    registry: MlflowRegistry, production: MlflowRegistry, champions_at_kill: int
) -> None:
    values = {f"m{number}": float(number) for number in range(15)}
    versions = _register(registry, values)
    _promote_and_kill(registry, production, champions_at_kill)
    survivors = production.champions("grocery")
    assert champions_at_kill <= len(survivors) < len(values)
    assert _champion_values(production).items() <= values.items()

    outcomes = list(promote(registry, production, versions, {}))

    assert [p.name for p in outcomes if p.outcome == "unchanged"] == [v.name for v in survivors]
    assert _champion_values(production) == values
    assert [c for c in production.champions("grocery") if c in survivors] == survivors


def _promote_and_kill(
    training: MlflowRegistry, production: MlflowRegistry, champions_at_kill: int
) -> None:
    places = [str(p) for r in (training, production) for p in (r.uri, r.artifact_root)]
    process = subprocess.Popen([sys.executable, "-c", PROMOTE, *places])
    database = production.uri.removeprefix("sqlite:///")
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM registered_model_aliases"
        while connection.execute(query).fetchone()[0] < champions_at_kill:
            assert process.poll() is None, "the promotion ended before it could be killed"
            time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("writer", ["bulk"])
def test_a_promotion_killed_at_any_instant_leaves_whole_partitions(
    registry: MlflowRegistry, production: MlflowRegistry
) -> None:
    dice = random.Random(7)
    assert finish(start("register", 900, registry)) == 0
    production.check()
    killed = 0
    for _ in range(6):
        killed += kill_within(start("promote", 900, registry, production), 1.0, dice)
        assert find_faults(production) == []
        assert half_promoted(production, 100) == []

    assert finish(start("promote", 900, registry, production)) == 0

    assert killed >= 2
    assert find_faults(production) == []
    assert len(production.champions("grocery")) == len(production.versions("grocery")) == 900
