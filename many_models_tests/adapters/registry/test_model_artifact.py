from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from many_models.adapters.registry.model_artifact import (
    PayloadError,
    load_files,
    load_payload,
    local_path,
    sha256,
)
from many_models.core.errors import RegistryError

PAYLOAD = pickle.dumps({"level": 3.0})


def test_a_payload_is_read_when_its_digest_is_the_registered_one(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(PAYLOAD)

    assert load_payload(str(tmp_path), sha256(PAYLOAD), "bread") == PAYLOAD
    assert load_payload(tmp_path.as_uri(), sha256(PAYLOAD), "bread") == PAYLOAD


@pytest.mark.parametrize("registered", [sha256(b"another payload"), ""])
def test_a_payload_with_another_digest_is_refused_by_name(tmp_path: Path, registered: str) -> None:
    (tmp_path / "model.pkl").write_bytes(PAYLOAD)

    with pytest.raises(RegistryError, match=r"model bread: .* not loaded"):
        load_payload(str(tmp_path), registered, "bread")


def test_a_missing_payload_is_told_by_name_and_place(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match=rf"model bread: its files at {tmp_path}"):
        load_payload(str(tmp_path), sha256(PAYLOAD), "bread")


def test_files_without_a_description_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(PAYLOAD)

    with pytest.raises(PayloadError, match="MLmodel"):
        load_files(str(tmp_path), sha256(PAYLOAD), "bread")


def test_a_local_payload_is_loaded_without_mlflow(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(PAYLOAD)
    program = f"""
import sys
from many_models.adapters.registry.model_artifact import load_payload
load_payload({str(tmp_path)!r}, {sha256(PAYLOAD)!r}, "bread")
sys.exit("mlflow" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/models/a b#1", Path("/models/a b#1")),
        ("relative/50%", Path("relative/50%")),
        ("file:///models/a%20b", Path("/models/a b")),
        ("s3://bucket/models", None),
        ("mlflow-artifacts:/1/models", None),
        ("dbfs:/models", None),
    ],
)
def test_a_location_is_local_or_not(location: str, path: Path | None) -> None:
    assert local_path(location) == path
