"""What ``registry.py`` asks of writers that are killed or meet: the registries must stay whole."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from registry_rivals import Registries

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models_tests.fakes_crashes import (
    WRITERS,
    find_faults,
    finish,
    half_promoted,
    half_rolled_back,
    kill_within,
    start,
)

MODELS = 450
PARTITIONS = 9  # of what the writers write
COLLECT = "collect"

_HALVES: dict[str, Callable[[MlflowRegistry], list[str]]] = {
    "promote": lambda production: half_promoted(production, MODELS // PARTITIONS),
    "rollback": half_rolled_back,
}
"""What else must hold of the production registry that a writer was killed over."""


@dataclass(frozen=True)
class _Scene:
    """A writer, its registries, and how long it takes when nobody kills it."""

    action: str
    training: MlflowRegistry
    production: MlflowRegistry
    seconds: float

    def kill(self, dice: random.Random) -> bool:
        if self.action == COLLECT:
            _register(self.training)  # so that there are old versions to delete
        process = start(self.action, MODELS, self.training, self.production)
        killed = kill_within(process, self.seconds, dice)
        self.require_whole()
        return killed

    def finish(self) -> None:
        if finish(start(self.action, MODELS, self.training, self.production)) != 0:
            raise SystemExit(f"{self.action} fails after it was killed")
        self.require_whole()

    def require_whole(self) -> None:
        faults = find_faults(self.training, gaps=self.action == COLLECT)
        faults += find_faults(self.production)
        faults += _HALVES.get(self.action, lambda _: [])(self.production)
        if faults:
            raise SystemExit(f"{self.action} was killed, and then: {faults[:5]}")


def kill_writers(registries: Registries, kind: str, kills: int) -> int:
    """SIGKILL every writer in turn at random instants, then let each finish; how many were hit."""
    if not kills:
        return 0
    dice = random.Random(7)
    scenes = [_prepare(registries, kind, action) for action in WRITERS]
    killed = 0
    while killed < kills:
        for scene in scenes:
            killed += scene.kill(dice)
        print(f"{kind}: {killed} / {kills} killed ({', '.join(WRITERS)}), no fault", flush=True)
    for scene in scenes:
        scene.finish()
    return killed


def _prepare(registries: Registries, kind: str, action: str) -> _Scene:
    training, production = registries.of(kind), registries.of(kind)
    for _ in range(2 if action == COLLECT else 1):
        _register(training)
    process = start(action, MODELS, training, registries.of(kind))
    begun = time.perf_counter()
    finish(process)
    return _Scene(action, training, production, time.perf_counter() - begun)


def _register(training: MlflowRegistry) -> None:
    if finish(start("register", MODELS, training)) != 0:
        raise SystemExit("the models to promote and collect could not be registered")


def two_writers(registries: Registries, kind: str) -> int:
    """Two processes register the same names at once; the number of versions that they leave."""
    registry = registries.of(kind)
    processes = [start("register", MODELS, registry) for _ in range(2)]
    statuses = [finish(process) for process in processes]
    versions = registry.versions("grocery")
    if any(statuses) or find_faults(registry) or len(versions) != 2 * MODELS:
        raise SystemExit(f"two writers at once: {statuses}, {find_faults(registry)[:5]}")
    return len(versions)
