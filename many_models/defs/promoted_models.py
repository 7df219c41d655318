"""Asset ``promoted_models``: the champions in production, and the invariant on them."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import dagster as dg

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.errors import RegistryError
from many_models.core.keys import router_name
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import Made, Materialized, describe
from many_models.defs.check_results import (
    Checked,
    CheckResult,
    Event,
    check_spec,
    yield_results,
)
from many_models.defs.current_run import CurrentRun
from many_models.defs.partition_failures import attempt, partitions_left
from many_models.defs.partitions import group_partitions
from many_models.defs.registry_pages import production_pages
from many_models.defs.resources import ChampionsResource, RegistryResource, StoreResource
from many_models.router import publish_router
from many_models.steps.promote import find_unqualified, promote_partitions
from many_models.steps.results import timed

logger = logging.getLogger(__name__)

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
    ) -> Iterator[Materialized]:
        left = partitions_left(context, trained_models)
        made = make_promoted_models(
            use_case,
            left.keys,
            CurrentRun.of(context),
            training_registry=training_registry,
            production_registry=production_registry,
            store=store,
        )
        yield from describe(context, made, left.lost)

    return promoted_models


def make_promoted_models(
    use_case: AnyUseCase,
    keys: Sequence[str],
    run: CurrentRun,
    *,
    training_registry: RegistryResource,
    production_registry: RegistryResource,
    store: StoreResource,
) -> Made:
    """Promote what was accepted of the last training run of these partitions."""
    results, production = store.open(use_case), production_registry.open(use_case)
    with timed(results, "promoted_models", run.id) as stage:
        found, failed = attempt(
            lambda: promote_partitions(
                use_case,
                keys,
                training=training_registry.open(use_case),
                production=production,
                results=results,
                run_id=run.id,
                trained_by=run.lineage,
            )
        )
        stage.count(partitions=len(found), rows=sum(p.promoted for p in found.values()))
    routed = any(partition.champions for partition in found.values())
    if overtaken := [name for name, partition in found.items() if partition.overtaken]:
        logger.warning(
            "%d partitions, such as %s, were trained by another run since: it is to promote them",
            len(overtaken),
            overtaken[0],
        )
    if stay := sum(partition.rolled_back for partition in found.values()):
        logger.warning(
            "%d accepted models stay rolled back; train them again to promote them", stay
        )
    return Made(
        {k: {**asdict(p), "dagster/partition_row_count": p.champions} for k, p in found.items()},
        {
            "champions_of_all_partitions": sum(p.champions for p in found.values()),
            "rolled_back_of_all_partitions": stay,
            "registry_writer": str(production.writer),
            "mlflow": production_pages().link,
            **({"router": _route(use_case, production, run.id)} if routed else {}),
        },
        failed=failed,
    )


def _route(use_case: AnyUseCase, production: MlflowRegistry, run_id: str) -> str:
    """Name of the router, or why it is not the newest: promotions hold without it."""
    try:
        publish_router(use_case, production, run_id)
    except RegistryError as error:
        logger.warning("the router is left as it was until the next promotion: %s", error)
        return f"left as it was until the next promotion: {error}"
    return router_name(use_case.name)


def build_promoted_models_check(
    use_case: AnyUseCase, asset: dg.AssetKey
) -> dg.AssetChecksDefinition:
    text = (
        "Every champion in production has a passing verdict. When it fails: somebody has promoted "
        f"by hand; roll those back ({use_case.name}_rollback), or train the partition again."
    )
    specs = [check_spec("only_qualified", asset, group_partitions(use_case), text)]

    @dg.multi_asset_check(name=f"{use_case.name}_promoted_models_check", specs=specs)
    def promoted_models_check(
        context: dg.AssetCheckExecutionContext,
        champions: ChampionsResource,
        store: StoreResource,
    ) -> Iterator[Event]:
        left = partitions_left(context, asset)
        found = check_promoted_models(use_case, left.keys, champions=champions, store=store)
        yield from yield_results(context, specs, found, lost=left.lost)

    return promoted_models_check


def check_promoted_models(
    use_case: AnyUseCase,
    keys: Sequence[str],
    *,
    champions: ChampionsResource,
    store: StoreResource,
) -> Checked:
    """Look for champions of these partitions that should not be in production."""
    found = find_unqualified(use_case, keys, champions.open(use_case), store.open(use_case))
    return {"only_qualified": {key: judge_champions(names) for key, names in found.items()}}


def judge_champions(unqualified: list[str]) -> CheckResult:
    """Whether a partition's champions all have a passing verdict."""
    if not unqualified:
        return CheckResult(True, "every champion has a passing verdict")
    names = ", ".join(unqualified[:NAMES_SHOWN])
    return CheckResult(
        False, f"{len(unqualified)} champions have no passing verdict, such as {names}"
    )
