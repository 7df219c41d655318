"""What the address of a page may ask for: bounded, and without what a database refuses as text."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

_NO_NUL = r"^[^\x00]*$"

Text = Annotated[str, Query(max_length=2_000, pattern=_NO_NUL)]
Name = Annotated[str, Query(alias="name", max_length=2_000, pattern=_NO_NUL)]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
First = Annotated[str, Query(alias="from", max_length=40)]
Last = Annotated[str, Query(alias="to", max_length=40)]
