"""What a long command shows while it runs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from many_models.progress import show_progress

PACKAGE = logging.getLogger("many_models.steps.some")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Texts that were printed, without the first line, which names the file, and the seconds."""
    return [line.split(" s  ", 1)[1] for line in capsys.readouterr().out.splitlines()[1:]]


def test_what_the_package_logs_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(tmp_path / "logs" / "run.log"):
        PACKAGE.info("trained %d / %d groups", 3, 8)
        PACKAGE.debug("not worth a line")
        logging.getLogger("mlflow").error("not ours")
    assert lines(capsys) == ["trained 3 / 8 groups"]


def test_nothing_is_shown_afterwards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(tmp_path / "run.log"):
        pass
    PACKAGE.info("too late")
    assert lines(capsys) == []


def test_a_line_that_says_nothing_new_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress(tmp_path / "run.log"):
        for done in (0, 0, 0, 4, 4):
            PACKAGE.info("trained %d / 8 groups", done)
    assert lines(capsys) == ["trained 0 / 8 groups", "trained 4 / 8 groups"]


def test_error_output_goes_to_the_file_also_of_other_processes(tmp_path: Path) -> None:
    file = tmp_path / "run.log"
    program = "import sys; print('noise', file=sys.stderr)"
    with show_progress(file):
        subprocess.run([sys.executable, "-c", program], check=True)
        os.write(2, b"from native code\n")
    os.write(2, b"afterwards\n")
    assert file.read_text() == "noise\nfrom native code\n"


def test_error_output_is_given_back_after_an_error(tmp_path: Path) -> None:
    before = os.fstat(2)
    with pytest.raises(ValueError, match="wrong"), show_progress(tmp_path / "run.log"):
        raise ValueError("wrong")
    assert os.path.samestat(os.fstat(2), before)
