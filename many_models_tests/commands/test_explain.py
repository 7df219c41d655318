"""The command ``explain``, on a real registry without Spark."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.cli import main
from many_models.commands.explain import COLUMNS
from many_models_tests.fakes import make_use_case
from many_models_tests.fakes_models import constant_record

pytestmark = [pytest.mark.mlflow, pytest.mark.usefixtures("home")]

EFFECTS = [
    {"member": "ridge", "effect": "weight", "feature": "ridge", "value": 0.5},
    {
        "member": "ridge",
        "effect": "coefficient",
        "feature": "price",
        "value": -2.0,
        "standardised": -1.25,
        "share": 0.5,
        "share_rank": 1,
    },
]


@pytest.fixture
def use_case(tmp_path: Path, home: Path, empty_registry_database: Path) -> Path:
    """Two champions: tea's is explained, rye's has nothing to tell."""
    folder = home / "registry" / "production"
    folder.mkdir(parents=True)
    (folder / "mlflow.db").write_bytes(empty_registry_database.read_bytes())
    registry = MlflowRegistry(f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts"), "sales")
    told = json.dumps({"candidate": "ensemble_median", "effects": EFFECTS}).encode()
    records = [
        replace(
            constant_record(f"sales.s1.{item}", use_case="sales", candidate="ensemble_median"),
            files={"explanation.json": told} if item == "tea" else {},
        )
        for item in ("tea", "rye")
    ]
    list(registry.register(records, alias="champion"))
    content = make_use_case().model_dump(mode="json", exclude_unset=True)
    (tmp_path / "sales.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "sales.yaml"


def call(use_case: Path, item: str, *options: str) -> Result:
    arguments = ["explain", str(use_case), "--key", f"store=s1,item={item}", *options]
    return CliRunner().invoke(main, arguments)


def test_effects_are_printed_in_columns(use_case: Path) -> None:
    result = call(use_case, "tea")
    assert result.exit_code == 0, result.output
    title, header, weight, price = result.output.splitlines()
    assert title == "store=s1,item=tea: ensemble_median (champion v1)"
    assert tuple(header.split()) == COLUMNS
    assert weight.split() == ["ridge", "weight", "ridge", "0.5"]
    assert price.split() == ["ridge", "coefficient", "price", "-2", "-1.25", "50.0%"]


def test_json_holds_the_same(use_case: Path) -> None:
    found = json.loads(call(use_case, "tea", "--json").output)
    assert found == {"origin": "champion v1", "candidate": "ensemble_median", "effects": EFFECTS}


def test_a_model_that_tells_nothing_says_so(use_case: Path) -> None:
    assert "nothing to tell" in call(use_case, "rye").output


def test_a_key_without_a_model_is_an_error(use_case: Path) -> None:
    result = call(use_case, "mustard")
    assert result.exit_code == 1
    assert "no model with key 'store=s1,item=mustard'" in result.output
