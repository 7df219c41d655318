"""The composition root: every use case's pipeline, and the resources that they share."""

import os
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from many_models import settings
from many_models.core.errors import UseCaseError
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import find_use_case_files, load_use_case
from many_models.defs.partition_failures import build_executor
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources


@dg.definitions
def definitions() -> dg.Definitions:
    """The packaged use cases, and those that ``MANY_MODELS_USE_CASES`` names, which come first."""
    settings.fill_environment(os.environ)
    named = find_use_case_files(os.environ[settings.USE_CASES].split(os.pathsep))
    packaged = find_use_case_files([str(settings.PACKAGED_USE_CASES)])
    use_cases = _by_name(packaged) | _by_name(named)
    return dg.Definitions.merge(
        *(build_many_models_defs(use_case) for use_case in use_cases.values()),
        dg.Definitions(resources=build_resources(), executor=build_executor()),
    )


def _by_name(files: Iterable[Path]) -> dict[str, AnyUseCase]:
    found: dict[str, AnyUseCase] = {}
    read_from: dict[str, Path] = {}
    for file in dict.fromkeys(path.resolve() for path in files):
        use_case = load_use_case(file)
        if use_case.name in found:
            raise UseCaseError(
                f"{file} and {read_from[use_case.name]} both describe a use case "
                f"{use_case.name!r}: change the name in one of them"
            )
        found[use_case.name], read_from[use_case.name] = use_case, file
    return found
