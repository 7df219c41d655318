"""Options that a candidate may be given in a use case, under ``with``.

Only what may be said, and its defaults; what it does is the candidate's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from many_models.core.section import Section


class RidgeOptions(Section):
    """Options of ``ridge``.

    ``log_target`` fits on log(1 + target), for effects that multiply; ``half_life`` in periods lets
    a period count half as much as one that is so much younger (``none``: all count the same;
    ``auto``: by the frequency, ``none`` up to weeks); ``trend`` and ``interactions``, of known
    features with the weekly season, may be left out.
    """

    log_target: bool = False
    half_life: Annotated[float, Field(gt=0)] | Literal["auto", "none"] = "auto"
    trend: bool = True
    interactions: bool = True


DEFAULTS = RidgeOptions()
