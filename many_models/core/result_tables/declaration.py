"""Which tables and views a use case has in the result store: all of them, in one declaration.

To add a table, write a function that returns it (a ``Table`` has its columns, comments, key and
indexes) and name it in ``declare``; where only some use cases have it, ask the use case there. The
store makes it when the use case is opened next, and documents it.
"""

from __future__ import annotations

import json

from many_models.core.result_tables.accuracy_views import accuracy_views
from many_models.core.result_tables.dimensions import dimension_tables
from many_models.core.result_tables.facts import fact_tables
from many_models.core.result_tables.run_views import run_views
from many_models.core.result_tables.spec import Declaration
from many_models.core.result_tables.totals import total_tables
from many_models.core.use_case import AnyUseCase


def declare(use_case: AnyUseCase) -> Declaration:
    """The tables and views of a use case."""
    tables = [*dimension_tables(use_case), *fact_tables(use_case), *total_tables(use_case)]
    views = [*accuracy_views(use_case), *run_views(use_case, tables)]
    config = _config_json(use_case)
    return Declaration(use_case.name, use_case.problem, config, tuple(tables), tuple(views))


def _config_json(use_case: AnyUseCase) -> str:
    """The use case as its YAML file has it; of the source's URL, which may be secret, the kind."""
    config = use_case.model_dump(mode="json", by_alias=True, exclude_unset=True)
    config["source"]["url"] = use_case.source.url_shown
    return json.dumps(config | {"problem": use_case.problem}, sort_keys=True)
