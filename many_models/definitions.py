"""The composition root: every use case's pipeline, and the resources that they share."""

import os
from pathlib import Path

import dagster as dg

from many_models import settings
from many_models.core.use_case_file import find_use_case_files, load_use_case
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources

PACKAGED_USE_CASES = Path(__file__).parent / "use_cases"


@dg.definitions
def definitions() -> dg.Definitions:
    """The packaged use cases, and those that ``MANY_MODELS_USE_CASES`` names."""
    settings.fill_environment(os.environ)
    paths = [str(PACKAGED_USE_CASES), *os.environ[settings.USE_CASES].split(os.pathsep)]
    use_cases = {u.name: u for u in map(load_use_case, find_use_case_files(paths))}
    return dg.Definitions.merge(
        *(build_many_models_defs(use_case) for use_case in use_cases.values()),
        dg.Definitions(resources=build_resources(), executor=dg.in_process_executor),
    )
