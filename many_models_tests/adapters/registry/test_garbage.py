from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models_tests.adapters.registry.test_mlflow_registry import register
from many_models_tests.fakes_models import ConstantModel, constant_record

pytestmark = pytest.mark.mlflow

ROWS = pd.DataFrame({"price": [1.5, 2.5]})


@pytest.mark.parametrize("writer", ["bulk"])
@pytest.mark.usefixtures("stock_mlflow")
def test_stock_mlflow_lists_and_loads_what_is_left(registry: MlflowRegistry) -> None:
    import mlflow

    made = [register(registry, [constant_record("a", float(n))], example=ROWS) for n in range(4)]
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("a", "favourite", "3")
    garbage = registry.garbage()

    removal = garbage.remove([version for (version,) in made[:2]], preview=False)
    garbage.delete(garbage.orphans(removal, (), datetime.now(UTC)))

    assert [int(v.version) for v in client.search_model_versions("name = 'a'")] == [4, 3]
    assert len(client.search_runs([registry._experiment_id])) == 2
    assert len(mlflow.search_logged_models([registry._experiment_id], output_format="list")) == 2
    for number, uri in ((2.0, "models:/a/3"), (2.0, "models:/a@favourite"), (3.0, "models:/a/4")):
        served = mlflow.pyfunc.load_model(uri)
        pd.testing.assert_frame_equal(served.predict(ROWS), ConstantModel(number).predict(ROWS))
    with pytest.raises(mlflow.MlflowException, match="not found"):
        client.get_model_version("a", "1")
    (new,) = register(registry, [constant_record("a", 9.0)], example=ROWS)
    assert new.version == 5
