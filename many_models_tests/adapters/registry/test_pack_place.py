from __future__ import annotations

import tomllib
from pathlib import Path

from many_models.adapters.registry.pack_place import SCHEMES


def test_mlflow_is_told_of_every_place_where_packs_may_stand() -> None:
    project = tomllib.loads(Path(__file__).parents[3].joinpath("pyproject.toml").read_text())
    entry_points = project["project"]["entry-points"]["mlflow.artifact_repository"]
    assert set(entry_points) == {f"pack+{scheme}" for scheme in SCHEMES}
