"""What an asset's page shows: row counts, columns, figures of each partition."""

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

PARTITIONS_DESCRIBED_MAX = 200  # Dagster reads all dynamic keys again for each partition described


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    columns = [dg.TableColumn(field.name, str(field.type)) for field in schema]
    return dg.TableSchema(columns=columns)


def describe_partitions(
    context: dg.AssetExecutionContext, figures: Mapping[str, Mapping[str, object]]
) -> None:
    """Put figures on the materialization of each partition of this run."""
    if len(figures) <= PARTITIONS_DESCRIBED_MAX:
        for partition, metadata in figures.items():
            context.add_asset_metadata(dict(metadata), partition_key=partition)
