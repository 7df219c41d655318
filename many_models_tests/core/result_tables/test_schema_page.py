from __future__ import annotations

from pathlib import Path

import many_models
from many_models.core.result_tables.schema_page import packaged_page

PAGE = Path(many_models.__file__).parents[1] / "docs" / "results" / "schema.md"


def test_the_page_tells_what_is_declared() -> None:
    assert PAGE.read_text(encoding="utf-8") == packaged_page(), "run make schema"
