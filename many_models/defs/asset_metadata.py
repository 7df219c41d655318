"""What an asset's page shows: row counts, columns, figures of each partition."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pyarrow as pa

PARTITIONS_DESCRIBED_MAX = 200  # Dagster reads all dynamic keys again for each partition described

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """What there is to say of partitions that were materialized: of each, and of all together.

    ``highlights`` are more figures, of a few partitions, which are shown however many there are.
    """

    by_partition: Mapping[str, Figures]
    overall: Figures = field(default_factory=dict)
    highlights: Mapping[str, Figures] = field(default_factory=dict)


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    columns = [dg.TableColumn(field.name, str(field.type)) for field in schema]
    return dg.TableSchema(columns=columns)


def describe(context: dg.AssetExecutionContext, made: Made) -> dg.MaterializeResult[None]:
    """The result of an asset's run, with figures on the materialization of each partition."""
    if len(made.by_partition) <= PARTITIONS_DESCRIBED_MAX:
        for partition, figures in made.by_partition.items():
            context.add_asset_metadata(dict(figures), partition_key=partition)
    for partition, figures in made.highlights.items():
        context.add_asset_metadata(dict(figures), partition_key=partition)
    return dg.MaterializeResult(metadata=dict(made.overall))


def materializations(
    asset: dg.AssetKey, partitions: Sequence[str], made: Made
) -> Iterator[dg.AssetMaterialization]:
    """The same as events that an op yields, one for each partition."""
    for partition in partitions:
        figures = [made.overall, made.by_partition.get(partition, {})]
        figures.append(made.highlights.get(partition, {}))
        metadata = {name: value for one in figures for name, value in one.items()}
        yield dg.AssetMaterialization(asset, partition=partition, metadata=metadata)
