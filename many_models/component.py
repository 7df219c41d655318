"""``ManyModelsComponent``: use cases in a Dagster project of one's own, one ``defs.yaml`` each."""

import os
from functools import cache
from typing import Any

import dagster as dg

from many_models import settings
from many_models.core.use_case_file import load_use_case
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources


class ManyModelsComponent(dg.Component, dg.Model, dg.Resolvable):
    """The whole pipeline of one use case: assets, checks and jobs, from its YAML file.

    ``use_case`` is that file's path, relative to the folder of ``defs.yaml``. The resources come
    with it, and all use cases of a project share them; the environment sets them.
    """

    use_case: str

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        settings.fill_environment(os.environ)
        use_case = load_use_case(context.path / self.use_case)
        return dg.Definitions.merge(
            build_many_models_defs(use_case), dg.Definitions(resources=_shared_resources())
        )


@cache
def _shared_resources() -> dict[str, dg.ConfigurableResource[Any]]:
    """The same objects for all: Dagster refuses two of one name that are not one."""
    return build_resources()
