"""Asset ``promoted_models``: the champions in production, and the invariant on them."""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import describe_partitions
from many_models.defs.check_results import CheckResult, Event, check_spec, yield_results
from many_models.defs.partitions import group_partitions
from many_models.defs.resources import ChampionsResource, RegistryResource, StoreResource
from many_models.steps.promote import find_unqualified, promote_partitions
from many_models.steps.results import timed

NAMES_SHOWN = 5


def build_promoted_models(use_case: AnyUseCase, trained_models: dg.AssetKey) -> dg.AssetsDefinition:
    @dg.asset(
        key=[use_case.name, "promoted_models"],
        partitions_def=group_partitions(use_case),
        deps=[trained_models],
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=use_case.name,
        kinds={"mlflow"},
        description=(
            "Champions: the models with a passing verdict, copied to the separate production "
            "registry under the alias champion. Where a challenger does not qualify, the champion "
            "stays."
        ),
    )
    def promoted_models(
        context: dg.AssetExecutionContext,
        training_registry: RegistryResource,
        production_registry: RegistryResource,
        store: StoreResource,
    ) -> dg.MaterializeResult[None]:
        results, keys = store.open(use_case), context.partition_keys
        production = production_registry.open(use_case)
        with timed(results, "promoted_models", context.run.run_id) as stage:
            found = promote_partitions(
                use_case,
                keys,
                training=training_registry.open(use_case),
                production=production,
                results=results,
                run_id=context.run.run_id,
            )
            stage.count(partitions=len(keys), rows=sum(p.promoted for p in found.values()))
        describe_partitions(
            context,
            {
                k: {**asdict(p), "dagster/partition_row_count": p.champions}
                for k, p in found.items()
            },
        )
        if stay := sum(partition.rolled_back for partition in found.values()):
            context.log.warning(
                "%d accepted models stay rolled back; train them again to promote them", stay
            )
        total = sum(partition.champions for partition in found.values())
        return dg.MaterializeResult(
            metadata={
                "champions_of_all_partitions": total,
                "rolled_back_of_all_partitions": stay,
                "registry_writer": str(production.writer),
            }
        )

    return promoted_models


def build_promoted_models_check(
    use_case: AnyUseCase, asset: dg.AssetKey
) -> dg.AssetChecksDefinition:
    text = "Every champion in production has a passing verdict."
    specs = [check_spec("only_qualified", asset, group_partitions(use_case), text)]

    @dg.multi_asset_check(name=f"{use_case.name}_promoted_models_check", specs=specs)
    def promoted_models_check(
        context: dg.AssetCheckExecutionContext,
        champions: ChampionsResource,
        store: StoreResource,
    ) -> Iterator[Event]:
        found = find_unqualified(
            use_case,
            context.partition_keys,
            champions.open(use_case),
            store.open(use_case),
        )
        results = {key: judge_champions(names) for key, names in found.items()}
        yield from yield_results(context, specs, {"only_qualified": results})

    return promoted_models_check


def judge_champions(unqualified: list[str]) -> CheckResult:
    """Whether a partition's champions all have a passing verdict."""
    if not unqualified:
        return CheckResult(True, "every champion has a passing verdict")
    names = ", ".join(unqualified[:NAMES_SHOWN])
    return CheckResult(
        False, f"{len(unqualified)} champions have no passing verdict, such as {names}"
    )
