from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from many_models import settings
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.errors import UseCaseError
from many_models.router import SETTINGS, Router, publish_router, read_settings
from many_models_tests.adapters.serving.running import Client, running
from many_models_tests.test_serving_process import ROW, USE_CASE, promote, wait_until

pytestmark = pytest.mark.mlflow

URI = "models:/sales-router@champion"


@pytest.fixture
def production(
    make_registry: Callable[[str], MlflowRegistry], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MlflowRegistry]:
    """Champions of a and b and their router, in a registry that MLflow alone knows of."""
    registry = make_registry("production")
    promote(registry, "ab")
    assert publish_router(USE_CASE, registry, "run")
    for name in (settings.PRODUCTION_READER, settings.PRODUCTION_REGISTRY):
        monkeypatch.delenv(name)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(registry.uri)
    yield registry
    mlflow.set_tracking_uri(before)


@pytest.fixture
def client(production: MlflowRegistry) -> Iterator[Client]:
    """MLflow's own scoring server, with the router in it."""
    with running(scoring_server.init(mlflow.pyfunc.load_model(URI))) as found:
        yield found


def rows(*items: str, days: int = 7) -> pd.DataFrame:
    dates = [str(np.datetime64("2024-05-29") + n) for n in range(1, days + 1)]
    return pd.DataFrame([{"store": 1, "item": i, "date": d} for d in dates for i in items])


def test_the_router_says_what_each_groups_own_model_says(production: MlflowRegistry) -> None:
    found = mlflow.pyfunc.load_model(URI).predict(rows("b", "a"))
    assert found["item"].tolist() == ["b", "a"] * 7
    for item in "ab":
        own = mlflow.pyfunc.load_model(f"models:/sales.1.{item}@champion")
        expected = own.predict(rows(item)[["date"]])
        mine = found[found["item"] == item]
        for column in ("prediction", "lower", "upper"):
            assert mine[column].tolist() == expected[column].tolist()
        assert set(mine["model_name"]) == {f"sales.1.{item}"}
        assert set(mine["model_version"]) == {1}


def test_the_router_follows_promotions(
    production: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTINGS, '{"refresh_seconds": 0.01}')
    router = mlflow.pyfunc.load_model(URI)
    before = router.predict(rows("a"))
    promote(production, "a", level=3.0)
    wait_until(lambda: set(router.predict(rows("a"))["model_version"]) == {2})
    assert (router.predict(rows("a"))["prediction"] > 2 * before["prediction"]).all()


def test_mlflows_own_server_answers_rows_of_many_groups(client: Client) -> None:
    unknown = {**ROW, "item": "nobody knows"}
    mixed = {"dataframe_records": [ROW, unknown, {**ROW, "item": "b"}]}
    reply = client.predict(mixed)
    assert reply.status == 200
    found = reply.json["predictions"]
    assert [row["item"] for row in found] == ["a", "nobody knows", "b"]
    assert [row["source"] for row in found] == ["model", "none", "model"]
    assert found[1]["prediction"] is None
    assert isinstance(found[0]["prediction"], float)


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"item": "nobody knows"}, 404, "no model of this group"),
        ({"date": "2030-01-01"}, 400, "times go from 2024-05-30"),
        ({"date": "soon"}, 400, "write a time such as"),
        ({"item": None}, 400, "a key is text or a whole number"),
    ],
)
def test_mlflows_own_server_says_what_is_wrong(
    client: Client, change: dict[str, Any], status: int, told: str
) -> None:
    reply = client.predict({"dataframe_records": [{**ROW, **change}]})
    assert reply.status == status
    assert told in reply.json["message"]


def test_keys_that_pandas_made_floats_of_are_whole_numbers_still(
    production: MlflowRegistry,
) -> None:
    table = rows("a", days=1).astype({"store": float})
    assert mlflow.pyfunc.load_model(URI).predict(table)["store"].tolist() == ["1"]


def test_a_router_is_published_once_for_each_version_of_its_use_case(
    production: MlflowRegistry,
) -> None:
    assert not publish_router(USE_CASE, production)
    other = USE_CASE.model_copy(update={"prediction_floor": 0.0})
    assert publish_router(other, production)
    champion = production.champion("sales-router")
    assert champion is not None
    assert champion.version == 2


def test_the_registry_never_learns_where_the_source_is(production: MlflowRegistry) -> None:
    source = USE_CASE.source.model_copy(update={"url": "postgresql://me:s3cret@db/shop"})
    publish_router(USE_CASE.model_copy(update={"source": source}), production)
    champion = production.champion("sales-router")
    assert champion is not None
    router = pickle.loads(production.read(champion).payload)
    assert '"postgresql://"' in router.description
    assert "s3cret" not in router.description


def test_a_router_is_no_champion_of_a_group(production: MlflowRegistry) -> None:
    assert [c.name for c in production.champions("sales")] == ["sales.1.a", "sales.1.b"]


def test_a_registry_that_is_away_is_told_as_such(
    production: MlflowRegistry, tmp_path: Path
) -> None:
    model = mlflow.pyfunc.load_model(URI)
    path = Path(production.uri.removeprefix("sqlite:///"))
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    with pytest.raises(MlflowException) as caught:
        model.predict(rows("a"))
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"


def test_a_pickled_router_carries_its_use_case_and_nothing_else() -> None:
    assert vars(pickle.loads(pickle.dumps(Router("{}"))))["description"] == "{}"


def test_settings_that_make_no_sense_are_refused_with_their_name() -> None:
    with pytest.raises(UseCaseError, match=r"MANY_MODELS_ROUTER is .*cache_gb.* with some of"):
        read_settings({SETTINGS: '{"cache_gb": 1}'})
