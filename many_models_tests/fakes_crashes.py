"""Processes that write to registries and are killed, and what must hold of a registry then."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter

from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.registration import ModelVersion, RegistrationFailure

WRITERS = {
    "register": """
from many_models.adapters.registry import bulk_writer
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models_tests.fakes_models import constant_record
import sys
bulk_writer.CHUNK = 20
count = int(sys.argv[1])
training = MlflowRegistry(sys.argv[2], sys.argv[3], "training")
training.check()
print("ready", flush=True)
list(training.register([constant_record(f"m{n}", partition=str(n % 9)) for n in range(count)]))
""",
    "promote": """
from many_models.adapters.registry import bulk_writer
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.promotion import promote
import sys
bulk_writer.CHUNK = 20
training = MlflowRegistry(sys.argv[2], sys.argv[3], "training")
production = MlflowRegistry(sys.argv[4], sys.argv[5], "production")
production.check()
latest = {v.name: v for v in training.versions("grocery")}
print("ready", flush=True)
list(promote(training, production, list(latest.values()), {}))
""",
    "rollback": """
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.rollback import Rollback, latest_promotion, plan_rollback
from many_models_tests.fakes_models import constant_record
from datetime import UTC, datetime
import sys
count = int(sys.argv[1])
production = MlflowRegistry(sys.argv[4], sys.argv[5], "production")
records = [constant_record(f"m{n}", partition=str(n % 9)) for n in range(count)]
records.sort(key=lambda record: record.tags["partition"])
list(production.register(records, alias="champion"))
print("ready", flush=True)
for partition in map(str, range(9)):
    chosen = latest_promotion(production.champions("grocery", [partition]))
    plan = plan_rollback(chosen, production.histories([v.name for v in chosen]), partition)
    production.roll_back(plan.changes, Rollback(partition, datetime.now(UTC), "ann", "a try"))
""",
    "collect": """
from datetime import timedelta
from many_models.adapters.registry import version_removal
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.steps.collect_garbage import Rules, collect_garbage
from many_models_tests.fakes import make_use_case
import sys
version_removal.CHUNK = 20
training = MlflowRegistry(sys.argv[2], sys.argv[3], "training")
production = MlflowRegistry(sys.argv[4], sys.argv[5], "production")
training.check()
print("ready", flush=True)
collect_garbage(
    make_use_case(name="grocery"),
    Rules(1, timedelta(0)),
    training=training,
    production=production,
    champions=production,
    delete=True,
)
""",
}
"""Programs that say "ready", then write ``argv[1]`` models; other arguments: URIs and folders.

Each takes as many registries as it uses, training before production. ``rollback`` promotes so many
models before it is ready, and takes them back, partition by partition.
"""


def start(action: str, models: int, *registries: MlflowRegistry) -> subprocess.Popen[str]:
    """Start a writing process; returns when it is about to write."""
    places = [str(p) for r in registries for p in (r.uri, r.artifact_root)]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WRITERS[action], str(models), *places],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> int:
    """Let a writing process come to its end; its exit code."""
    process.communicate()
    return process.returncode


def kill_within(process: subprocess.Popen[str], seconds: float, dice: random.Random) -> bool:
    """SIGKILL at an instant before ``seconds`` have passed; whether it was still running."""
    time.sleep(dice.uniform(0, seconds))
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def find_faults(
    registry: MlflowRegistry, use_case: str = "grocery", *, gaps: bool = False
) -> list[str]:
    """What is wrong with a registry; must be nothing, whenever its writers were killed.

    ``gaps`` in the numbers of versions are in order where old ones were deleted.
    """
    database = RegistryDatabase(registry.uri)
    faults = []
    if not database.is_postgres:
        if database.query("PRAGMA integrity_check") != [("ok",)]:
            faults.append("the database is damaged")
        faults += [f"foreign key: {row}" for row in database.query("PRAGMA foreign_key_check")]
    versions = registry.versions(use_case)
    for name, numbers in _numbers(versions).items():
        if not gaps and sorted(numbers) != list(range(1, len(numbers) + 1)):
            faults.append(f"{name} has versions {sorted(numbers)}")
    models = {name for (name,) in database.query("SELECT name FROM registered_models")}
    faults += [f"{name} has no version" for name in models - {v.name for v in versions}]
    counts = {
        table: database.query(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("runs", "logged_models", "inputs", "model_versions")
    }
    if set(counts.values()) != {len(versions)}:
        faults.append(f"{len(versions)} versions, but rows: {counts}")
    for found in registry.read_all(versions):
        if isinstance(found, RegistrationFailure):
            faults.append(found.error)
        elif not found.metrics or not found.params or not found.key_tags:
            faults.append(f"{found.name} lacks metrics, parameters or tags")
    return faults


def _numbers(versions: list[ModelVersion]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for version in versions:
        numbers.setdefault(version.name, []).append(version.version)
    return numbers


def half_promoted(production: MlflowRegistry, size: int) -> list[str]:
    """Partitions that have some, but not all ``size`` of their champions."""
    counts = Counter(c.tags["partition"] for c in production.champions("grocery"))
    return [partition for partition, count in counts.items() if count != size]


def half_rolled_back(production: MlflowRegistry) -> list[str]:
    """Partitions whose champions are not all of one version, though they changed together."""
    versions: dict[str, set[int]] = {}
    for champion in production.champions("grocery"):
        versions.setdefault(champion.tags["partition"], set()).add(champion.version)
    return [partition for partition, numbers in versions.items() if len(numbers) != 1]
