"""Where everything lives: environment variables and their embedded defaults.

Nothing is read at import. ``fill_environment`` is called once, by whoever starts a process: the
command line or Dagster's code location.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from string import Template

from many_models.core.errors import UseCaseError
from many_models.core.use_case import AnyUseCase

HOME = "MANY_MODELS_HOME"
LAKE = "MANY_MODELS_LAKE"
STORE = "MANY_MODELS_STORE"
SPARK_MASTER = "MANY_MODELS_SPARK_MASTER"
TRAINING_REGISTRY = "MANY_MODELS_TRAINING_REGISTRY"
TRAINING_ARTIFACTS = "MANY_MODELS_TRAINING_ARTIFACTS"
PRODUCTION_REGISTRY = "MANY_MODELS_PRODUCTION_REGISTRY"
PRODUCTION_ARTIFACTS = "MANY_MODELS_PRODUCTION_ARTIFACTS"
PRODUCTION_READER = "MANY_MODELS_PRODUCTION_READER"
RESULTS_URL = "MANY_MODELS_RESULTS_URL"
USE_CASES = "MANY_MODELS_USE_CASES"
EVENT_BATCH = "DAGSTER_EVENT_BATCH_SIZE"  # Dagster's own: 0 would mean one by one

EVENTS_A_BATCH = "500"

PACKAGED_USE_CASES = Path(__file__).parent / "use_cases"

_DEFAULTS = {
    LAKE: "{home}/lake",
    STORE: "sqlite:///{home}/results.db",
    SPARK_MASTER: "local[*]",
    TRAINING_REGISTRY: "sqlite:///{home}/registry/training/mlflow.db",
    TRAINING_ARTIFACTS: "{home}/registry/training/artifacts",
    PRODUCTION_REGISTRY: "sqlite:///{home}/registry/production/mlflow.db",
    PRODUCTION_ARTIFACTS: "{home}/registry/production/artifacts",
    USE_CASES: "{home}/use_cases",
}


def fill_environment(environ: MutableMapping[str, str]) -> Path:
    """Give every variable that is not set its default below the home folder; return that.

    Production is read where it is written, unless a reader is named. Where only a reader is named,
    the registry for writing stays empty: such a process holds nothing that could write there.
    """
    home = Path(environ.get(HOME) or ".many_models").expanduser().absolute()
    environ[HOME] = str(home)
    if environ.get(PRODUCTION_READER):
        environ.setdefault(PRODUCTION_REGISTRY, "")
    for name, default in _DEFAULTS.items():
        environ.setdefault(name, default.format(home=home))
    environ.setdefault(EVENT_BATCH, EVENTS_A_BATCH)
    environ[PRODUCTION_READER] = environ.get(PRODUCTION_READER) or environ[PRODUCTION_REGISTRY]
    return home


def source_url(use_case: AnyUseCase, environ: Mapping[str, str]) -> str:
    """The source's URL with its ``${NAME}`` placeholders taken from the environment.

    Raises:
        UseCaseError: a placeholder names a variable that is not set.
    """
    try:
        return Template(use_case.source.url).substitute(environ)
    except KeyError as error:
        raise UseCaseError(
            f"source.url of use case {use_case.name!r} needs the environment variable {error}; "
            "set it"
        ) from error
    except ValueError as error:
        raise UseCaseError(
            f"source.url of use case {use_case.name!r} has a '$' that begins no ${{NAME}}: "
            "write '$$' for a plain one"
        ) from error
