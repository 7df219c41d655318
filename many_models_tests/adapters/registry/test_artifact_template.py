from __future__ import annotations

import pytest
import yaml

from many_models.adapters.registry.artifact_template import ArtifactTemplate, Identity

MLMODEL = b"""\
artifact_path: /old/place
flavors:
  sklearn:
    pickled_model: model.pkl
model_id: m-old
model_size_bytes: 1
model_uuid: m-old
run_id: '0123456789'
utc_time_created: '2020-01-01 00:00:00.000000'
"""
PAYLOAD = b"a pickle"


@pytest.mark.parametrize("location", ["/plain", "/with space #1: 'x'", "s3://bucket/a"])
def test_a_template_changes_only_what_is_each_models_own(location: str) -> None:
    template = ArtifactTemplate.from_files({"MLmodel": MLMODEL, "requirements.txt": b"x==1"})
    run_id = "12345678901234567890123456789012"  # unquoted it would be a number

    files = template.render(Identity(location, "m-new", run_id), PAYLOAD)

    description = yaml.safe_load(files.pop("MLmodel"))
    assert description.pop("utc_time_created") > "2026"
    assert description == {
        "artifact_path": location,
        "flavors": {"sklearn": {"pickled_model": "model.pkl"}},
        "model_id": "m-new",
        "model_size_bytes": len(PAYLOAD),
        "model_uuid": "m-new",
        "run_id": run_id,
    }
    assert files == {"model.pkl": PAYLOAD, "requirements.txt": b"x==1"}


@pytest.mark.parametrize(
    "run_id", ["0" * 32, "0b" + "1" * 30, "1e" + "5" * 30, "0123456789abcdef" * 2, "true", "no: #"]
)
@pytest.mark.parametrize("location", ["/a/b", "pack+file:///a%20b/c.pack/17", "/a: b", "C:\\a", ""])
def test_a_description_is_written_as_yaml_writes_it(run_id: str, location: str) -> None:
    template = ArtifactTemplate.from_files({"MLmodel": MLMODEL})

    text = template.describe(Identity(location, f"m-{run_id}", run_id), 17).decode()

    assert text == yaml.safe_dump(yaml.safe_load(text), default_flow_style=False)
    assert yaml.safe_load(text)["run_id"] == run_id
    assert yaml.safe_load(text)["artifact_path"] == location
