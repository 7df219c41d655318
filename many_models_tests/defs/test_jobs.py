"""The jobs that an operator starts."""

import dagster as dg

from many_models.defs.jobs import USE_CASE_TAG
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import SPARK_POOL, build_resources
from many_models_tests.fakes import make_use_case


def test_a_use_case_has_a_job_for_each_kind_of_partition_and_those_of_ops() -> None:
    definitions = dg.Definitions.merge(
        build_many_models_defs(make_use_case()), dg.Definitions(resources=build_resources())
    )
    jobs = {job.name: job for job in definitions.resolve_all_job_defs() if job.name[:2] != "__"}
    assets = {
        name: {key.path[-1] for key in job.asset_layer.executable_asset_keys}
        for name, job in jobs.items()
    }
    assert assets == {
        "sales_ingest": {"raw_data"},
        "sales_train": {"grouped_datasets", "trained_models", "promoted_models"},
        "sales_score": {"predictions"},
        "sales_measure": {"forecast_accuracy"},
        "sales_drift": {"model_drift"},
        "sales_retrain": set(),
        "sales_refresh": set(),
        "sales_rollback": set(),
    }
    checks = {
        n: {k.name for k in j.asset_layer.asset_graph.asset_check_keys} for n, j in jobs.items()
    }
    assert "promotion_rules" in checks["sales_train"]
    assert "every_group_covered" in checks["sales_score"]
    assert all(job.description for job in jobs.values())


def test_whatever_uses_spark_says_so_that_its_sessions_can_be_limited() -> None:
    definitions = dg.Definitions.merge(
        build_many_models_defs(make_use_case()), dg.Definitions(resources=build_resources())
    )
    jobs = list(definitions.resolve_all_job_defs())
    ops = {node.name: node for job in jobs for node in job.all_node_defs}
    pools = {
        name: op.pool
        for name, op in ops.items()
        if isinstance(op, dg.OpDefinition) and "spark" in op.required_resource_keys
    }
    assert {"sales__trained_models", "sales_retrain_trained_models"} <= pools.keys()
    assert set(pools.values()) == {SPARK_POOL}
    tagged = {job.name for job in jobs if job.tags.get(USE_CASE_TAG) == "sales"}
    untagged = {job.name for job in jobs if job.name[:2] != "__"} - tagged
    assert untagged == {"sales_rollback"}  # which is not to wait for anything
