"""MLflow's tables as far as a bulk writer fills them, and whether a database is the one we know.

Columns that stay NULL in all our rows are left out.

What is written here by hand was read off what ``log_model`` leaves in MLflow 3.17; the revision of
the schema says whether that still holds. How rows are made stands in ``rows``.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

TESTED_REVISIONS = frozenset({"dc11669786a5"})  # MLflow 3.17


@dataclass(frozen=True, eq=False)  # compared by identity, and so quick as a key
class Table:
    """A table, the columns of our rows in their order, its primary key, and what may be NULL."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    nullable: tuple[str, ...]


def _table(name: str, columns: str, key: str, nullable: str = "") -> Table:
    return Table(name, tuple(columns.split()), tuple(key.split()), tuple(nullable.split()))


RUNS = _table(
    "runs",
    "run_uuid name start_time end_time artifact_uri experiment_id source_type source_name"
    " entry_point_name user_id status source_version lifecycle_stage",
    "run_uuid",
)
RUN_TAGS = _table("tags", "key value run_uuid", "key run_uuid")
METRICS = _table(
    "metrics",
    "key value timestamp step is_nan run_uuid",
    "key timestamp step run_uuid value is_nan",
)
LATEST_METRICS = _table(
    "latest_metrics", "key value timestamp step is_nan run_uuid", "key run_uuid"
)
PARAMS = _table("params", "key value run_uuid", "key run_uuid")
INPUTS = _table(
    "inputs",
    "input_uuid source_type source_id destination_type destination_id step",
    "source_type source_id destination_type destination_id",
)
LOGGED_MODELS = _table(
    "logged_models",
    "model_id artifact_location creation_timestamp_ms last_updated_timestamp_ms model_type"
    " source_run_id experiment_id name status lifecycle_stage",
    "model_id",
    nullable="model_type",
)
LOGGED_MODEL_METRICS = _table(
    "logged_model_metrics",
    "model_id metric_name metric_timestamp_ms metric_step metric_value experiment_id run_id",
    "model_id metric_name metric_timestamp_ms metric_step run_id",
)
LOGGED_MODEL_PARAMS = _table(
    "logged_model_params", "model_id experiment_id param_key param_value", "model_id param_key"
)
LOGGED_MODEL_TAGS = _table(
    "logged_model_tags", "model_id experiment_id tag_key tag_value", "model_id tag_key"
)
REGISTERED_MODELS = _table(
    "registered_models",
    "workspace name creation_time last_updated_time",
    "workspace name",
)
REGISTERED_MODEL_TAGS = _table(
    "registered_model_tags", "workspace name key value", "workspace key name"
)
MODEL_VERSIONS = _table(
    "model_versions",
    "name version creation_time last_updated_time source storage_location run_id"
    " workspace current_stage status",
    "workspace name version",
)
MODEL_VERSION_TAGS = _table(
    "model_version_tags", "workspace name version key value", "workspace key name version"
)
ALIASES = _table("registered_model_aliases", "workspace name alias version", "workspace name alias")

TABLES = (
    RUNS,
    RUN_TAGS,
    METRICS,
    LATEST_METRICS,
    PARAMS,
    INPUTS,
    LOGGED_MODELS,
    LOGGED_MODEL_METRICS,
    LOGGED_MODEL_PARAMS,
    LOGGED_MODEL_TAGS,
    REGISTERED_MODELS,
    REGISTERED_MODEL_TAGS,
    MODEL_VERSIONS,
    MODEL_VERSION_TAGS,
    ALIASES,
)
"""Parents first."""

SEARCHED = (
    REGISTERED_MODELS,
    REGISTERED_MODEL_TAGS,
    MODEL_VERSIONS,
    MODEL_VERSION_TAGS,
    ALIASES,
    LATEST_METRICS,
    PARAMS,
)


def find_difference(engine: sa.Engine) -> str | None:
    """What is unlike the tables that we know, in words; None when nothing is."""
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars()
        revisions = set(found)
        if not revisions or not revisions <= TESTED_REVISIONS:
            return (
                f"its schema is at revision {', '.join(sorted(revisions)) or 'none'}, and bulk "
                f"writing was tested with {', '.join(sorted(TESTED_REVISIONS))}"
            )
        inspector = sa.inspect(connection)
        for table in TABLES:
            columns = inspector.get_columns(table.name)
            if missing := set(table.columns) - {column["name"] for column in columns}:
                return f"table {table.name} has no column {sorted(missing)[0]}"
            for column in columns:
                needed = not column["nullable"] and column["default"] is None
                if needed and column["name"] not in table.columns:
                    return f"table {table.name} needs a value for column {column['name']}"
    return None
