"""What must be there before a use case can run, each thing with a way to find out.

An examination returns, or raises a ``ManyModelsError`` that says how to mend what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import uuid4

from many_models import settings
from many_models.core.errors import LakeError, PrerequisiteError
from many_models.core.use_case import AnyUseCase

Examination = Callable[[], object]


def examinations(
    use_cases: Sequence[AnyUseCase], registries_of: AnyUseCase, environ: Mapping[str, str]
) -> dict[str, Examination]:
    """Examinations of the platform, and of the sources of some use cases, by what they examine."""
    from many_models.adapters.results.store import ResultStore
    from many_models.adapters.spark.session import check_java
    from many_models.defs.resources import build_champions, build_registry

    writing = {"production registry": lambda: build_registry(registries_of, "production", environ)}
    return {
        "Java": check_java,
        "Spark": lambda: _run_spark(environ[settings.SPARK_MASTER]),
        "lake": lambda: _write_to_lake(environ[settings.LAKE]),
        "result store": lambda: ResultStore(environ[settings.STORE]).check(),
        "training registry": lambda: build_registry(registries_of, "training", environ),
        **(writing if environ[settings.PRODUCTION_REGISTRY] else {}),
        "production registry, for reading": lambda: build_champions(registries_of, environ),
        **{f"source of {u.name}": partial(_reach_source, u, environ) for u in use_cases},
    }


def _reach_source(use_case: AnyUseCase, environ: Mapping[str, str]) -> None:
    from many_models.adapters.sources.database import SourceDatabase
    from many_models.steps.new_data import check_watch

    source = SourceDatabase(settings.source_url(use_case, environ))
    source.check()
    if use_case.source.watched:
        check_watch(use_case, source)


def _run_spark(master: str) -> None:
    from many_models.adapters.spark.session import start_session

    try:
        start_session(master, {}).range(1).count()
    except PrerequisiteError:
        raise
    except Exception as error:  # of Java, of Python, or of what lies between
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise PrerequisiteError(
            f"Spark does not run at {master}: {reason}; change {settings.SPARK_MASTER}, or look "
            "whether that cluster is there"
        ) from error


def _write_to_lake(root: str) -> None:
    from pyarrow import ArrowException

    from many_models.adapters.lake.arrow_files import open_filesystem

    try:
        filesystem, path = open_filesystem(root)
        filesystem.create_dir(path, recursive=True)
        trial = f"{path}/check-{uuid4().hex}"
        with filesystem.open_output_stream(trial) as stream:
            stream.write(b"a trial")
        filesystem.delete_file(trial)
    except (OSError, ArrowException) as error:
        raise LakeError(
            f"nothing can be written to {root}: {error}; change {settings.LAKE}, or mend the "
            "permissions"
        ) from error
