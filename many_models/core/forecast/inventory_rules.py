"""The part ``inventory`` of a use case: what safety stock is for, and how sure it is to be.

Only the description, and the rules about what may stand there; the arithmetic is in
``lead_time_demand``, the rows that come of it in ``inventory``. The words are those of Silver, Pyke
and Thomas, "Inventory and Production Management in Supply Chains" (4th edition, 2017), chapter 6.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator

from many_models.core.section import Section

COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
SERVICE_LEVELS = "a number above 0.5 and below 1, such as 0.95"


class InventoryRules(Section):
    """Lead time, review period and service level; each a number, or a static column's name.

    ``lead_time`` is how many periods pass from an order at a period's end until what was ordered is
    there; ``review_period`` how many lie between two looks at the stock. ``service_level`` is that
    of a cycle: the probability that the stock lasts until the next delivery (P1 in the literature).
    ``on_hand`` and ``on_order`` are past-only or static columns with the current stock, and with
    what is on its way.
    """

    lead_time: int | str
    review_period: Annotated[int, Field(ge=1)] = 1
    service_level: float | str
    on_hand: str | None = None
    on_order: str | None = None

    @field_validator("lead_time", mode="before")
    @classmethod
    def _periods_or_a_column(cls, value: object) -> object:
        if _is_column(value) or (type(value) is int and value >= 0):
            return value
        raise ValueError("give whole periods, 0 or more, or the name of a static column")

    @field_validator("service_level", mode="before")
    @classmethod
    def _level_or_a_column(cls, value: object) -> object:
        if _is_column(value) or (type(value) is float and is_service_level(value)):
            return value
        raise ValueError(f"give {SERVICE_LEVELS}, or the name of a static column")

    @property
    def columns(self) -> dict[str, str]:
        """Columns that are named here, by the field that names them."""
        fields = ("lead_time", "service_level", "on_hand", "on_order")
        named = {field: getattr(self, field) for field in fields}
        return {field: name for field, name in named.items() if isinstance(name, str)}

    def check(self, horizon: int, static: tuple[str, ...], past: tuple[str, ...]) -> None:
        """Refuse what does not fit the rest of the use case.

        Raises:
            ValueError: with the path of the field.
        """
        for field, name in self.columns.items():
            stock = field in ("on_hand", "on_order")
            if name not in (*static, *(past if stock else ())):
                where = "features.past or features.static" if stock else "features.static"
                raise ValueError(f"inventory.{field}: {name!r} is no column of {where}; add it")
        if self.on_order is not None and self.on_hand is None:
            raise ValueError("inventory.on_order: it counts only beside on_hand; name that, too")
        least = 0 if isinstance(self.lead_time, str) else self.lead_time
        if least + self.review_period > horizon:
            raise ValueError(
                f"inventory.lead_time: {least} periods and a review_period of {self.review_period} "
                f"reach beyond the horizon of {horizon}; lengthen the horizon"
            )


def is_service_level(value: float) -> bool:
    return 0.5 < value < 1


def _is_column(value: object) -> bool:
    return isinstance(value, str) and COLUMN.fullmatch(value) is not None
