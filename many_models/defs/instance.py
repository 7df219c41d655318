"""The Dagster instance of a home folder: set up at first use, and freed of killed runs."""

import os
import shutil
from pathlib import Path

import dagster as dg
from dagster._core.storage.runs import SqliteRunStorage

SETTINGS = Path(__file__).parents[1] / "dagster.yaml"
WORKSPACE = (
    "load_from:\n  - python_module:\n"
    "      module_name: many_models.definitions\n      location_name: many_models\n"
)
UNDER_WAY = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
CLOCK_SECONDS = 10.0  # by how much the machine's notion of when it booted may drift


def open_instance(home: Path) -> dg.DagsterInstance:
    """The instance in ``home``; its settings are the owner's to change once they are there."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SETTINGS.name).exists():
        shutil.copyfile(SETTINGS, folder / SETTINGS.name)
    (folder / "workspace.yaml").write_text(WORKSPACE, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(folder)
    instance = dg.DagsterInstance.get()
    if isinstance(instance.run_storage, SqliteRunStorage):  # else runs may be of other machines
        end_killed_runs(instance)
    return instance


def end_killed_runs(instance: dg.DagsterInstance) -> None:
    """Report runs whose process is gone as failed: they would hold up the queue."""
    for run in instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY)):
        started = {
            int(str(event.dagster_event.engine_event_data.metadata["pid"].value)): event.timestamp
            for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
            if event.dagster_event and "pid" in event.dagster_event.engine_event_data.metadata
        }
        if started and not any(is_alive(pid, since) for pid, since in started.items()):
            instance.report_run_failed(run, "The process of this run was killed.")


def is_alive(pid: int, since: float) -> bool:
    """Whether the process that had this id at a time (seconds since 1970) still runs."""
    if pid == os.getpid():
        return False  # asked before this process starts a run of its own
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    begun = _begun(pid)
    return begun is None or begun <= since + CLOCK_SECONDS


def _begun(pid: int) -> float | None:
    """When a process began, where the system tells: ids are given anew after a restart."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(s for s in Path("/proc/stat").read_text().splitlines() if s[:6] == "btime ")
    except (OSError, StopIteration):
        return None
    return int(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
