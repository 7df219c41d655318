"""What an asset's page shows: row counts, columns, figures of each partition that was made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pyarrow as pa

# An output with this in its metadata tells of no materialization: we have told of them before,
# each with its own figures, and of no partition that failed.
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from many_models.core.result_tables.comments import comment
from many_models.core.use_case import AnyUseCase
from many_models.defs.event_batches import asset_tags, in_batches
from many_models.defs.partition_failures import PartitionsFailure

Figures = Mapping[str, Any]
Materialized = dg.DagsterEvent | dg.MaterializeResult[None]


@dataclass(frozen=True)
class Made:
    """What there is to say of partitions that were materialized: of each, and of all together.

    ``highlights`` are more figures, of a few partitions. Of those that ``failed``, why.
    """

    by_partition: Mapping[str, Figures]
    overall: Figures = field(default_factory=dict)
    highlights: Mapping[str, Figures] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    columns = [dg.TableColumn(field.name, str(field.type)) for field in schema]
    return dg.TableSchema(columns=columns)


def results_schema(use_case: AnyUseCase, suffix: str, schema: pa.Schema) -> dg.TableSchema:
    """Columns of a table of the result store, with what they mean there."""
    columns = [
        dg.TableColumn(field.name, str(field.type), comment(use_case, suffix, field.name))
        for field in schema
    ]
    return dg.TableSchema(columns=columns)


def describe(
    context: dg.AssetExecutionContext, made: Made, lost: Mapping[str, str] | None = None
) -> Iterator[Materialized]:
    """Events of an asset's run: a materialization of each partition, with its figures.

    ``lost`` are partitions that failed before.

    Raises:
        PartitionsFailure: some partitions failed; their neighbours have been told of by then.
    """
    step = context.op_execution_context.get_step_execution_context()
    asset, partitions = context.asset_key, [k for k in made.by_partition if k not in made.failed]
    if partitions:
        tags = asset_tags(step, asset, partitions)
        yield from in_batches(step, materializations(asset, partitions, made, tags))
        yield dg.MaterializeResult(metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})
    if made.failed or lost:
        raise PartitionsFailure(made.failed, lost or {})


def materializations(
    asset: dg.AssetKey,
    partitions: Sequence[str],
    made: Made,
    tags: Mapping[str, str] | None = None,
) -> Iterator[dg.AssetMaterialization]:
    """An event for each of these partitions that did not fail, which an op may yield as well.

    A page shows figures in this order: the partition's own come before those of all together.
    """
    for partition in partitions:
        if partition in made.failed:
            continue
        own = {**made.by_partition.get(partition, {}), **made.highlights.get(partition, {})}
        metadata = {**own, **{n: v for n, v in made.overall.items() if n not in own}}
        yield dg.AssetMaterialization(asset, partition=partition, metadata=metadata, tags=tags)
