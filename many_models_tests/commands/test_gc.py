"""The command ``gc``: what it asks for, and what it prints."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from many_models import settings
from many_models.adapters.registry.promotion import promote
from many_models.cli import main
from many_models.commands.gc import Age
from many_models.core.registration import ModelVersion
from many_models.core.use_case_file import load_use_case
from many_models.defs.resources import build_registry
from many_models_tests.fakes_models import constant_record


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["gc", "grocery", *arguments])


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def trained(home: Path, empty_registry_database: Path) -> None:
    """Five versions of two models, the first of which is in production."""
    use_case = load_use_case(settings.PACKAGED_USE_CASES / "grocery.yaml")
    for name in ("training", "production"):
        (home / "registry" / name).mkdir(parents=True)
        database = home / "registry" / name / "mlflow.db"
        database.write_bytes(empty_registry_database.read_bytes())
    training = build_registry(use_case, "training", os.environ)
    versions = []
    for value in range(5):
        records = [constant_record(name, float(value)) for name in "ab"]
        versions += [v for v in training.register(records) if isinstance(v, ModelVersion)]
    production = build_registry(use_case, "production", os.environ)
    list(promote(training, production, versions[:2], {}))


@pytest.mark.mlflow
@pytest.mark.usefixtures("trained")
def test_it_tells_first_and_deletes_when_told_to() -> None:
    told = call("--min-age", "0")
    assert told.exit_code == 0, told.output
    assert "Would delete 2 of 10 versions in training: each model keeps its last 3" in told.stdout
    assert "2 rows of model_versions" in told.stdout
    assert "1 packs that no model needs" in told.stdout
    assert "Nothing was deleted: --yes does it." in told.stdout

    young = json.loads(call("--json").stdout)
    assert (young["training"]["packs"], young["training"]["young_packs"]) == (0, 1)
    done = json.loads(call("--yes", "--min-age", "0", "--json").stdout)

    assert done["done"]
    assert (done["training"]["versions"], done["training"]["packs"]) == (2, 1)
    assert (done["production"]["versions"], done["production"]["packs"]) == (0, 0)
    assert "Deleted 0 of 8 versions" in call("--yes", "--min-age", "0").stdout


@pytest.mark.mlflow
@pytest.mark.usefixtures("trained")
def test_who_may_not_write_production_cleans_training_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(settings.PRODUCTION_REGISTRY, "")
    done = call("--yes", "--keep", "1", "--min-age", "0")
    assert done.exit_code == 0, done.output
    assert "Deleted 6 of 10 versions" in done.stdout
    assert "production: not looked at" in done.stdout


@pytest.mark.mlflow
def test_where_nothing_was_ever_promoted_it_refuses(home: Path) -> None:
    refused = call("--yes")
    assert refused.exit_code == 1
    assert "only production knows which versions were ever promoted" in refused.stderr
    assert not (home / "registry" / "production").exists()


@pytest.mark.parametrize("keep", ["0", "-1", "three"])
def test_to_keep_no_version_is_a_misuse(keep: str) -> None:
    assert call("--keep", keep).exit_code == 2


@pytest.mark.parametrize(
    ("text", "hours"),
    [("2 days", 48), ("1d", 24), ("36h", 36), ("90min", 1.5), ("0", 0)],
)
def test_an_age_has_a_unit(text: str, hours: float) -> None:
    assert Age().convert(text, None, None) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["5", "-1d", "soon", "", "nat"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="give one such as 2d"):
        Age().convert(text, None, None)
