"""The Dagster instance of a home folder, and runs whose process was killed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.events import EngineEventData

from many_models.defs.instance import SETTINGS, end_killed_runs, is_alive, open_instance
from many_models.settings import HOME

STATUS = dg.DagsterRunStatus


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", "to be restored after the test")
    return tmp_path


@pytest.fixture
def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def living_pid() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.kill()
    process.communicate()


def add_run(instance: dg.DagsterInstance, status: STATUS, pid: int | None) -> dg.DagsterRun:
    run = instance.create_run_for_job(dg.GraphDefinition("train").to_job(), status=status)
    if pid is not None:
        data = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(pid))})
        instance.report_engine_event("Started the run.", run, data)
    return run


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> STATUS:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


@pytest.mark.parametrize("status", [STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING])
def test_a_run_whose_process_is_gone_has_failed(
    instance: dg.DagsterInstance, ended_pid: int, status: STATUS
) -> None:
    run = add_run(instance, status, ended_pid)
    end_killed_runs(instance)
    assert status_of(instance, run) == STATUS.FAILURE


def test_a_run_whose_process_is_there_goes_on(
    instance: dg.DagsterInstance, living_pid: int
) -> None:
    run = add_run(instance, STATUS.STARTED, living_pid)
    end_killed_runs(instance)
    assert status_of(instance, run) == STATUS.STARTED


@pytest.mark.parametrize("status", [STATUS.NOT_STARTED, STATUS.SUCCESS])
def test_a_run_that_is_not_under_way_is_left_alone(
    instance: dg.DagsterInstance, ended_pid: int, status: STATUS
) -> None:
    run = add_run(instance, status, ended_pid)
    end_killed_runs(instance)
    assert status_of(instance, run) == status


def test_a_run_that_has_no_process_yet_is_left_to_dagster(instance: dg.DagsterInstance) -> None:
    run = add_run(instance, STATUS.STARTING, None)
    end_killed_runs(instance)
    assert status_of(instance, run) == STATUS.STARTING


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell")
def test_a_process_that_was_given_an_old_id_is_another_one(living_pid: int) -> None:
    assert is_alive(living_pid, since=time.time())
    assert not is_alive(living_pid, since=time.time() - 3600)


def test_this_process_has_no_run_before_it_opens_the_instance() -> None:
    assert not is_alive(os.getpid(), since=time.time())


def test_telemetry_is_off_and_one_run_at_a_time_goes(dagster_home: Path) -> None:
    with open_instance(dagster_home) as instance:
        assert not instance.telemetry_enabled
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 1
        assert instance.root_directory == str(dagster_home / "dagster")


def test_settings_that_their_owner_changed_stay(dagster_home: Path) -> None:
    open_instance(dagster_home).dispose()
    file = dagster_home / "dagster" / SETTINGS.name
    file.write_text("telemetry: {enabled: false}\nnux: {enabled: true}\n")
    with open_instance(dagster_home) as instance:
        assert instance.nux_enabled


def test_opening_an_instance_ends_the_runs_that_were_killed(
    dagster_home: Path, ended_pid: int
) -> None:
    with open_instance(dagster_home) as instance:
        run = add_run(instance, STATUS.STARTED, ended_pid)
    with open_instance(dagster_home) as again:
        assert status_of(again, run) == STATUS.FAILURE


def test_the_workspace_names_the_same_code_as_the_repositorys(dagster_home: Path) -> None:
    open_instance(dagster_home).dispose()
    own = (dagster_home / "dagster" / "workspace.yaml").read_text()
    committed = Path(__file__).parents[2] / "workspace.yaml"
    assert yaml.safe_load(own) == yaml.safe_load(committed.read_text())
    assert HOME not in own
