"""The code location as Dagster loads it: with use cases of the package and of its user."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from many_models import settings
from many_models.core.errors import UseCaseError
from many_models.core.use_case_file import load_use_case
from many_models.definitions import definitions
from many_models_tests.fakes import make_use_case

ROOT = Path(__file__).parents[1]
KINDS = {
    "raw_data": {"sql", "deltalake"},
    "grouped_datasets": {"spark", "deltalake"},
    "trained_models": {"spark", "scikitlearn", "mlflow"},
    "promoted_models": {"mlflow"},
    "predictions": {"spark", "sql"},
    "forecast_accuracy": {"sql"},
    "model_drift": {"sql", "spark"},
}
CHECKS = {
    "raw_data": {
        "schema_as_declared",
        "keys_present",
        "no_duplicates",
        "rows_not_collapsed",
        "up_to_date",
    },
    "grouped_datasets": {"rows_conserved"},
    "trained_models": {"ledger_complete", "promotion_rules"},
    "promoted_models": {"only_qualified"},
    "predictions": {"every_group_covered", "few_fallbacks"},
    "forecast_accuracy": {"actuals_complete"},
    "model_drift": {"accuracy_as_promised", "data_as_trained", "models_fresh"},
}
CHECKS_OF_PROBLEM = {
    "forecast": {"intervals_sane", "plausible", "coverage_as_promised"},
    "regression": {"values_sane", "plausible"},
    "classification": {"values_sane"},
}
CHECKS_PAGE = Path(__file__).parents[1] / "docs" / "operations" / "checks.md"
PROBLEMS = {
    "flights": "classification",
    "grocery": "forecast",
    "oil_wells": "classification",
    "restaurants": "forecast",
    "simulated": "forecast",
    "warehouse": "forecast",
}
PACKAGED = sorted(file.stem for file in settings.PACKAGED_USE_CASES.glob("*.yaml"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    environ = {settings.HOME: str(tmp_path)}
    settings.fill_environment(environ)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def load() -> dg.Definitions:
    loaded = definitions()
    assert isinstance(loaded, dg.Definitions)
    return loaded


def write_use_case(path: Path, name: str, **fields: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    use_case = make_use_case(name=name, **fields).model_dump(mode="json")
    path.write_text(yaml.safe_dump(use_case))
    return path


def names_of(loaded: dg.Definitions) -> set[str]:
    return {key.path[0] for key in loaded.resolve_asset_graph().get_all_asset_keys()}


def test_the_definitions_can_be_loaded() -> None:
    dg.Definitions.validate_loadable(load())


def test_dagster_validates_the_workspace_in_a_fresh_home(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if "MANY_MODELS" not in name}
    kept.pop("DAGSTER_HOME", None)
    finished = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        env=kept | {settings.HOME: str(tmp_path / "fresh")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "many_models" in finished.stderr + finished.stdout


@pytest.mark.parametrize("use_case", PACKAGED)
@pytest.mark.parametrize("asset", KINDS)
def test_every_asset_says_what_it_is(use_case: str, asset: str) -> None:
    node = load().resolve_asset_graph().get(dg.AssetKey([use_case, asset]))
    assert node.group_name == use_case
    assert node.kinds == KINDS[asset]
    assert len(node.description or "") > 80
    assert node.partitions_def is not None
    assert node.backfill_policy == dg.BackfillPolicy.single_run()
    if asset != "promoted_models":  # it is a registry, not a table
        columns = node.metadata["dagster/column_schema"].columns
        assert len(columns) > 3
        stored = asset not in ("raw_data", "grouped_datasets")
        assert all(bool(column.description) == stored for column in columns)


@pytest.mark.parametrize("use_case", PACKAGED)
def test_every_asset_has_its_checks_on_the_same_partitions(use_case: str) -> None:
    graph = load().resolve_asset_graph()
    found: dict[str, set[str]] = {asset: set() for asset in CHECKS}
    for key in graph.asset_check_keys:
        if key.asset_key.path[0] == use_case:
            found[key.asset_key.path[1]].add(key.name)
            spec = graph.get_check_spec(key)
            partitions = graph.get(key.asset_key).partitions_def
            assert spec.partitions_def == (None if key.name == "up_to_date" else partitions)
            assert "When it fails" in (spec.description or "")
    common = {name for names in CHECKS.values() for name in names}
    there = {name for names in found.values() for name in names}
    assert {asset: names & common for asset, names in found.items()} == CHECKS
    assert there - common == CHECKS_OF_PROBLEM[PROBLEMS[use_case]]


def test_the_page_of_checks_tells_of_each_what_to_do() -> None:
    rows = [line.split("|") for line in CHECKS_PAGE.read_text().splitlines() if line[:3] == "| `"]
    told = {(row[1].strip(" `"), row[2].strip(" `")) for row in rows if len(row) == 7}
    graph = load().resolve_asset_graph()
    there = {(key.asset_key.path[1], key.name) for key in graph.asset_check_keys}
    of_rows = {("predictions", "values_sane")}
    assert told - of_rows == there - of_rows


def test_assets_follow_each_other() -> None:
    graph = load().resolve_asset_graph()
    parents = {
        asset: {key.path[1] for key in graph.get(dg.AssetKey(["grocery", asset])).parent_keys}
        for asset in KINDS
    }
    assert parents == {
        "raw_data": set(),
        "grouped_datasets": {"raw_data"},
        "trained_models": {"grouped_datasets"},
        "promoted_models": {"trained_models"},
        "predictions": {"promoted_models", "grouped_datasets"},
        "forecast_accuracy": {"predictions", "grouped_datasets"},
        "model_drift": {"promoted_models", "grouped_datasets", "forecast_accuracy"},
    }


def test_every_use_case_can_run_by_itself_but_does_not_until_it_is_switched_on() -> None:
    repository = load().get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()}
    found = {}
    for schedule in repository.schedule_defs:
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
        assert schedule.job_name in jobs
        found[schedule.name] = schedule.description
    for sensor in repository.sensor_defs:
        assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
        assert {target.job_name for target in sensor.targets} <= jobs
        found[sensor.name] = sensor.description
    expected = {f"{name}_{kind}" for name in PACKAGED for kind in ("daily", "weekly", "retraining")}
    assert expected | {"grocery_new_data"} <= found.keys()
    assert all(len(text or "") > 50 for text in found.values())


def test_only_promotion_and_rollback_ask_for_the_right_to_write_production() -> None:
    repository = load().get_repository_def()
    needed = {
        node.name: set(node.required_resource_keys)
        for job in repository.get_all_jobs()
        for node in job.all_node_defs
        if isinstance(node, dg.OpDefinition)
    }
    writing = {name for name, keys in needed.items() if "production_registry" in keys}
    reading = {name for name, keys in needed.items() if "champions" in keys}
    assert writing == {
        f"{name}_{step}"
        for name in PACKAGED
        for step in ("_promoted_models", "retrain_promoted_models", "roll_back")
    }
    assert reading == {
        f"{name}_{step}"
        for name in PACKAGED
        for step in (
            "trained_models_checks",
            "promoted_models_check",
            "_predictions",
            "retrain_trained_models_checks",
            "retrain_promoted_models_checks",
            "refresh_predictions",
            "_model_drift",
            "refresh_model_drift",
        )
    }


def test_packaged_use_cases_have_the_names_of_their_files() -> None:
    for name in PACKAGED:
        assert load_use_case(settings.PACKAGED_USE_CASES / f"{name}.yaml").name == name
    assert names_of(load()) == set(PACKAGED)


def test_use_cases_of_the_home_folder_are_loaded(home: Path) -> None:
    write_use_case(home / "use_cases" / "mine.yaml", "mine")
    assert names_of(load()) == {*PACKAGED, "mine"}


def test_named_files_are_loaded_once_each(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_use_case(home / "use_cases" / "mine.yaml", "mine")
    monkeypatch.setenv(settings.USE_CASES, os.pathsep.join([str(file), str(file.parent)]))
    assert names_of(load()) == {*PACKAGED, "mine"}


def test_a_users_file_replaces_the_packaged_use_case_of_that_name(home: Path) -> None:
    write_use_case(home / "use_cases" / "mine.yaml", "grocery", horizon=3)
    node = load().resolve_asset_graph().get(dg.AssetKey(["grocery", "predictions"]))
    assert "next 3 periods" in (node.description or "")


def test_two_files_of_one_name_are_refused(home: Path) -> None:
    write_use_case(home / "use_cases" / "a.yaml", "mine")
    write_use_case(home / "use_cases" / "b.yaml", "mine")
    with pytest.raises(UseCaseError, match=r"b\.yaml and .*a\.yaml both describe .* 'mine'"):
        load()


def test_a_broken_file_is_named_with_the_field_at_fault(home: Path) -> None:
    file = write_use_case(home / "use_cases" / "mine.yaml", "mine")
    file.write_text(file.read_text().replace("horizon: 7", "horizon: soon"))
    with pytest.raises(UseCaseError, match=r"mine\.yaml is not a valid use case:\n  horizon: "):
        load()


def test_an_import_sets_nothing_in_the_environment() -> None:
    kept = {name: value for name, value in os.environ.items() if "MANY_MODELS" not in name}
    program = "import os; before = dict(os.environ); import many_models.definitions"
    program += "; print([name for name in os.environ if 'MANY_MODELS' in name])"
    command = [sys.executable, "-c", program]
    finished = subprocess.run(command, check=True, cwd=ROOT, env=kept, capture_output=True)
    assert finished.stdout == b"[]\n"
