from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from many_models.adapters.registry.artifact_template import ArtifactTemplate
from many_models.adapters.registry.model_artifact import sha256
from many_models.adapters.registry.packing import Packing
from many_models.adapters.registry.packs import read_files, split_location
from many_models.core.forecast.model import load_model, make_specimen
from many_models.core.forecast.training import train_shard
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks

TEMPLATE = ArtifactTemplate.from_files({"MLmodel": b"flavors: {}\n", "requirements.txt": b"x==1"})
PAYLOADS = [b"first", b"second"]


def test_each_model_has_files_with_the_ids_that_it_was_given(tmp_path: Path) -> None:
    with Packing(f"memory://{tmp_path.name}/packs", TEMPLATE).open() as store:
        stored = [store(payload, sha256(payload), payload + b"!") for payload in PAYLOADS]

    for model, payload in zip(stored, PAYLOADS, strict=True):
        files = read_files(model.location, "model.pkl", "MLmodel")
        assert files.pop("model.pkl") == payload
        description = yaml.safe_load(files.pop("MLmodel"))
        assert (description["run_id"], description["model_id"]) == (model.run_id, model.model_id)
        assert description["artifact_path"] == model.location
        assert description["model_size_bytes"] == len(payload)
        assert files.pop("explanation.json") == payload + b"!"
        assert files == TEMPLATE.environment
        assert model.sha256 == sha256(payload)
    first, second = stored
    assert first.run_id != second.run_id
    assert first.run_id[:12] <= second.run_id[:12]
    assert [len(first.run_id), len(first.model_id)] == [32, 34]
    assert split_location(first.location)[0] == split_location(second.location)[0]


def test_nothing_is_left_of_what_was_not_finished(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Packing(tmp_path.as_uri(), TEMPLATE).open() as store:
        store(b"payload", "", b"")
        raise ZeroDivisionError

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "packs").write_text("a file where the folder should be")
    packing = Packing((tmp_path / "packs").as_uri(), TEMPLATE)

    expected = f"to {packing.folder} .*every executor"
    with pytest.raises(OSError, match=expected), packing.open() as store:
        store(b"payload", "", b"")


@pytest.mark.mlflow
@pytest.mark.parametrize("features", [{}, {"known": ["price"], "past": ["visits"]}])
def test_a_specimen_is_described_as_a_trained_model_is(features: dict[str, list[str]]) -> None:
    use_case = make_use_case(features=features)
    names = [name for of_kind in features.values() for name in of_kind]
    columns = {name: [2.0 + day % 3 for day in range(90)] for name in names}
    series = make_series(use_case, "2024-01-01", noisy_weeks(90), **columns)
    (row,) = train_shard(
        make_shard(use_case, {("s1", "bread"): series}),
        use_case,
        partition="s1",
        trained_through=np.datetime64("2024-03-30"),
    ).to_pylist()
    trained = load_model(row["payload"])

    packing = Packing.of_models_like(make_specimen(use_case), "file:///packs")

    assert packing.template == ArtifactTemplate.from_model(trained, trained.example())
    assert '"name": "date"' in str(dict(packing.template.description)["signature"])
