"""A result store as it was before it had versions, in either database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi

from many_models.core.forecast.use_case import UseCase
from many_models_tests.fakes import make_use_case

SCRIPT = Path(__file__).with_name("old_store.sql")
TABLES = (
    *("ledger", "explanations", "verdicts", "stages", "predictions", "scoring", "accuracy"),
    *("drift", "retraining", "rollbacks"),
)
"""Tables that the script makes and fills."""


def old_use_case() -> UseCase:
    """The use case that the old store is of."""
    return make_use_case(
        name="bread",
        features={"static": ["region"]},
        validation={"min_observations": 60, "levels": [0.8], "folds": 2},
        candidates=["seasonal_naive", "ridge"],
    )


def make_old_store(url: str) -> None:
    """Make the old store, with its rows."""
    execute(url, *SCRIPT.read_text().split(";\n"))


def execute(url: str, *statements: str) -> None:
    """Run statements one after the other, each for itself."""
    opened = (
        adbc_driver_sqlite.dbapi.connect(url.removeprefix("sqlite:///"), autocommit=True)
        if url.startswith("sqlite")
        else adbc_driver_postgresql.dbapi.connect(url, autocommit=True)
    )
    with closing(opened) as connection, connection.cursor() as cursor:
        for statement in statements:
            if statement.strip():
                cursor.execute(statement)
