from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow.fs import FileInfo, FileType

from many_models.adapters.lake.run_folders import ABANDONED_AFTER, is_abandoned, run_folder

OWNER = """
import sys
from pathlib import Path
from many_models.adapters.lake.run_folders import run_folder
with run_folder(sys.argv[1], "training") as folder:
    Path(folder.uri).mkdir()
    Path(folder.uri, "file").touch()
    print(folder.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that works in a run folder below ``tmp_path``."""
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _kill(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout is not None
    name = owner.stdout.readline().strip()
    owner.kill()
    assert owner.wait() == -signal.SIGKILL
    return name


def _visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_folder_is_gone_when_its_run_has_ended(tmp_path: Path) -> None:
    with run_folder(str(tmp_path), "training") as folder:
        Path(folder.uri, "deep").mkdir(parents=True)
        assert folder.name in _visible(tmp_path)
    assert _visible(tmp_path) == set()


def test_a_folder_is_gone_when_its_run_has_failed(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="the run"),
        run_folder(str(tmp_path), "training") as folder,
    ):
        Path(folder.uri).mkdir()
        raise ValueError("the run")
    assert _visible(tmp_path) == set()


def test_a_folder_stays_when_its_owner_keeps_it(tmp_path: Path) -> None:
    with run_folder(str(tmp_path), "staged") as folder:
        Path(folder.uri).mkdir()
        folder.kept = True
    with run_folder(str(tmp_path), "staged"):
        pass
    assert _visible(tmp_path) == {folder.name}


def test_what_a_killed_run_left_is_removed_by_the_next_of_its_kind(
    tmp_path: Path, owner: subprocess.Popen[str]
) -> None:
    left = _kill(owner)
    with run_folder(str(tmp_path), "scoring"):
        assert left in _visible(tmp_path)
    with run_folder(str(tmp_path), "training"):
        assert left not in _visible(tmp_path)
    assert _visible(tmp_path) == set()


def test_what_a_killed_run_had_come_to_keep_is_kept(
    tmp_path: Path, owner: subprocess.Popen[str]
) -> None:
    left = _kill(owner)
    with run_folder(str(tmp_path), "training", is_needed=lambda name: name == left):
        pass
    with run_folder(str(tmp_path), "training"):  # no marker speaks of it any more
        pass
    assert _visible(tmp_path) == {left}
    assert Path(tmp_path, left, "file").exists()


def test_the_folder_of_a_run_that_is_alive_is_left_alone(
    tmp_path: Path, owner: subprocess.Popen[str]
) -> None:
    assert owner.stdout is not None
    name = owner.stdout.readline().strip()
    with run_folder(str(tmp_path), "training"):
        assert Path(tmp_path, name, "file").exists()
    owner.communicate()
    assert owner.returncode == 0
    assert _visible(tmp_path) == set()


@pytest.mark.parametrize(
    ("age", "expected"),
    [(ABANDONED_AFTER - timedelta(hours=1), False), (ABANDONED_AFTER + timedelta(hours=1), True)],
)
def test_on_an_object_store_an_old_marker_counts_as_abandoned(
    age: timedelta, expected: bool
) -> None:
    marker = FileInfo("bucket/staged-1.owned", FileType.File, mtime=datetime.now(UTC) - age)
    assert is_abandoned(marker, is_local=False) is expected
