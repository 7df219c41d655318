"""Use cases in somebody's own Dagster project, as folders with a ``defs.yaml``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.core.component_tree import ComponentTreeException
from dagster.components.testing import DefsFolderSandbox, create_defs_folder_sandbox

from many_models.component import ManyModelsComponent
from many_models.core.errors import UseCaseError
from many_models_tests.fakes import make_use_case


@pytest.fixture
def project(home: Path) -> Iterator[DefsFolderSandbox]:
    with create_defs_folder_sandbox() as sandbox:
        yield sandbox


def _add(project: DefsFolderSandbox, name: str, file: str = "use_case.yaml") -> Path:
    """A use case of this name in the project; returns its folder."""
    attributes: dict[str, Any] = {"use_case": file}
    folder = project.scaffold_component(
        component_cls=ManyModelsComponent,
        defs_path=name,
        defs_yaml_contents={
            "type": "many_models.component.ManyModelsComponent",
            "attributes": attributes,
        },
    )
    source = {"url": "sqlite:///sales.db", "table": "sales", "start": "2024-01-01"}
    use_case = make_use_case(name=name, source={**source, "loaded_at": "loaded_at"})
    described = use_case.model_dump(mode="json", exclude_unset=True)
    (folder / "use_case.yaml").write_text(yaml.safe_dump(described))
    return folder


def test_a_project_may_have_several_use_cases_that_share_their_resources(
    project: DefsFolderSandbox,
) -> None:
    for name in ("bread", "milk"):
        _add(project, name)
    with project.build_all_defs() as defs:
        dg.Definitions.validate_loadable(defs)
        keys = defs.resolve_asset_graph().get_all_asset_keys()
        assert {key.path[0] for key in keys} == {"bread", "milk"}
        assert dg.AssetKey(["milk", "predictions"]) in keys
        assert {"bread_train", "milk_train"} <= {job.name for job in defs.resolve_all_job_defs()}
        repository = defs.get_repository_def()
        assert {"bread_daily", "milk_weekly"} <= {s.name for s in repository.schedule_defs}
        assert {s.name for s in repository.sensor_defs} >= {"bread_new_data", "milk_new_data"}


def test_a_file_that_is_not_there_is_named(project: DefsFolderSandbox) -> None:
    folder = _add(project, "bread", file="other.yaml")
    with (
        pytest.raises(ComponentTreeException) as caught,
        project.load_component_and_build_defs(defs_path=folder),
    ):
        pass
    assert isinstance(caught.value.__cause__, UseCaseError)
    assert "other.yaml" in str(caught.value.__cause__)
