"""How commands take a use case: as a file, or by the name of one that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from many_models import settings
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import load_use_case


class UseCaseFile(click.ParamType[AnyUseCase]):
    """A use case: a YAML file, or the name of one that comes with the package."""

    name = "use_case.yaml"

    def convert(self, value: Any, param: Any, ctx: Any) -> AnyUseCase:
        packaged = settings.PACKAGED_USE_CASES / f"{value}.yaml"
        return load_use_case(packaged if packaged.is_file() else Path(value))
