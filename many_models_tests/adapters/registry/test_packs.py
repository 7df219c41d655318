from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from many_models.adapters.registry.packs import (
    PackFormatError,
    PackWriter,
    read_files,
    read_payload,
    split_location,
)

SHARED = {"requirements.txt": b"many-models==1\n"}
BIG = b"x" * 200_000  # takes a second read


def describe(location: str) -> bytes:
    return f"artifact_path: {location}\n".encode()


def pack(folder: str, *payloads: bytes, models: int = 500) -> list[str]:
    with PackWriter(folder, models) as writer:
        locations = [writer.append(payload, SHARED, describe) for payload in payloads]
        writer.seal()
    return locations


@pytest.mark.parametrize("place", ["disk", "disk with space #1: 50%", "object store"])
def test_each_model_comes_back_from_its_location(tmp_path: Path, place: str) -> None:
    remote = place == "object store"
    folder = f"memory://{tmp_path.name}/packs" if remote else (tmp_path / place).as_uri()

    first, second, third = pack(folder, b"first", BIG, b"")

    assert [read_payload(location) for location in (third, second, first)] == [b"", BIG, b"first"]
    assert read_files(second, "model.pkl", "MLmodel") == {
        "model.pkl": BIG,
        "MLmodel": describe(second),
        **SHARED,
    }


def test_a_models_own_files_come_back_and_do_not_hide_its_description(tmp_path: Path) -> None:
    own = {"explanation.json": '{"ü": "\\u0000"}'.encode(), "empty.txt": b""}
    with PackWriter(tmp_path.as_uri()) as writer:
        first = writer.append(b"first", SHARED, describe, own)
        second = writer.append(b"second", SHARED, describe)
        writer.seal()

    expected = {"model.pkl": b"first", "MLmodel": describe(first), **SHARED}
    assert read_files(first, "model.pkl", "MLmodel") == expected | own
    assert read_payload(first) == b"first"
    expected = {"model.pkl": b"second", "MLmodel": describe(second), **SHARED}
    assert read_files(second, "model.pkl", "MLmodel") == expected


def test_a_pack_holds_so_many_models_and_shared_files_once(tmp_path: Path) -> None:
    locations = pack(tmp_path.as_uri(), *[b"payload"] * 5, models=2)

    packs = sorted(tmp_path.iterdir())
    assert len(packs) == 3
    assert [path.read_bytes().count(b"many-models==1") for path in packs] == [1, 1, 1]
    uris = [split_location(location)[0] for location in locations]
    assert [uris.count(uri) for uri in uris] == [2, 2, 2, 2, 1]
    assert set(uris) == {path.as_uri() for path in packs}


def test_nothing_is_seen_before_it_is_sealed_and_nothing_is_left_without(tmp_path: Path) -> None:
    with PackWriter(tmp_path.as_uri()) as writer:
        location = writer.append(b"payload", SHARED, describe)
        with pytest.raises(OSError):
            read_payload(location)
        assert list(tmp_path.glob("*.pack")) == []

    assert list(tmp_path.iterdir()) == []


def test_appending_goes_on_after_a_seal(tmp_path: Path) -> None:
    with PackWriter(tmp_path.as_uri()) as writer:
        first = writer.append(b"first", SHARED, describe)
        writer.seal()
        second = writer.append(b"second", SHARED, describe)
        writer.seal()

    assert [read_payload(first), read_payload(second)] == [b"first", b"second"]


def test_damaged_bytes_are_noticed_without_a_registry(tmp_path: Path) -> None:
    (location,) = pack(tmp_path.as_uri(), b"payload")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b"payload", b"paYload"))

    with pytest.raises(PackFormatError, match="damaged: it has SHA-256"):
        read_files(location, "model.pkl", "MLmodel")
    files = read_files(location, "model.pkl", "MLmodel", is_checked=False)
    assert files["model.pkl"] == b"paYload"


def test_damaged_files_beside_a_payload_are_noticed(tmp_path: Path) -> None:
    (location,) = pack(tmp_path.as_uri(), b"payload")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b'{"requirements', b'["requirements'))

    with pytest.raises(PackFormatError, match="describe it were damaged"):
        read_files(location, "model.pkl", "MLmodel")
    assert read_payload(location) == b"payload"


@pytest.mark.parametrize("offset", ["1", "500", "5000000"])
def test_an_offset_where_no_model_begins_is_refused(tmp_path: Path, offset: str) -> None:
    (location,) = pack(tmp_path.as_uri(), b"payload")

    with pytest.raises(PackFormatError):
        read_files(f"{location.rpartition('/')[0]}/{offset}", "model.pkl", "MLmodel")


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "pack+file:///etc/passwd/0", "pack+file:///a.pack/-1", "a.pack/1"]
)
def test_other_locations_are_refused(location: str) -> None:
    with pytest.raises(PackFormatError, match="not the location"):
        read_payload(location)


def test_packs_are_read_without_mlflow(tmp_path: Path) -> None:
    (location,) = pack(tmp_path.as_uri(), b"payload")
    program = f"""
import sys
from hashlib import sha256
from many_models.adapters.registry.model_artifact import load_payload
load_payload({location!r}, sha256(b"payload").hexdigest(), "bread")
sys.exit("mlflow" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
