"""An entry of ``candidates``: an estimator with a name, and what it is made with.

What every shape of problem says of its candidates; each adds what it alone knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from many_models.core.dotted_path import EstimatorPath
from many_models.core.section import Section
from many_models.core.use_case import Identifier


class NamedEstimator(Section):
    """An estimator: one that comes with the platform, or anything's dotted path.

    A string is short for one without parameters; the name is the last part of its path, unless
    another is given.
    """

    model_config = ConfigDict(populate_by_name=True)

    estimator: EstimatorPath
    parameters: dict[str, Any] = Field(default={}, alias="with")
    name: Identifier = ""

    @model_validator(mode="before")
    @classmethod
    def _named_after_its_estimator(cls, value: object) -> object:
        given = {"estimator": value} if isinstance(value, str) else value
        if isinstance(given, dict) and isinstance(path := given.get("estimator"), str):
            return {"name": path.rpartition(".")[2], **given}
        return given


def check_names(candidates: Sequence[NamedEstimator], baseline: str) -> None:
    """Whether each name is given once, the baseline's among them.

    Raises:
        ValueError: a name is given twice, or the baseline is missing.
    """
    names = [candidate.name for candidate in candidates]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ValueError(f"candidates.{place}: {name!r} is named twice; give it a name")
    if baseline not in names:
        raise ValueError(f"candidates: the baseline {baseline!r} must be one of them")
