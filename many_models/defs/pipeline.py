"""One use case's whole pipeline, on one screen."""

import warnings

import dagster as dg

from many_models.core.use_case import AnyUseCase
from many_models.defs.forecast_accuracy import (
    build_forecast_accuracy,
    build_forecast_accuracy_checks,
)
from many_models.defs.freshness import build_freshness_check, build_freshness_sensor
from many_models.defs.grouped_datasets import build_grouped_datasets, build_grouped_datasets_check
from many_models.defs.jobs import build_jobs
from many_models.defs.model_drift import build_model_drift, build_model_drift_checks
from many_models.defs.new_data import build_new_data_sensors
from many_models.defs.partition_names import NAMES, names_io_manager
from many_models.defs.predictions import build_predictions, build_predictions_check
from many_models.defs.promoted_models import build_promoted_models, build_promoted_models_check
from many_models.defs.raw_data import build_raw_data, build_raw_data_checks
from many_models.defs.retraining import build_retraining_sensor
from many_models.defs.rollback import build_rollback_job
from many_models.defs.schedules import build_schedules
from many_models.defs.selections import build_refresh_job, build_retrain_job
from many_models.defs.trained_models import build_trained_models, build_trained_models_checks


def build_many_models_defs(use_case: AnyUseCase) -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors of one use case; the keys begin with its name."""
    with warnings.catch_warnings():
        # Dagster is pinned, and our tests show that what it calls new does what we need.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return _build(use_case)


def _build(use_case: AnyUseCase) -> dg.Definitions:
    raw_data = build_raw_data(use_case)
    grouped_datasets = build_grouped_datasets(use_case, raw_data.key)
    trained_models = build_trained_models(use_case, grouped_datasets.key)
    promoted_models = build_promoted_models(use_case, trained_models.key)
    predictions = build_predictions(use_case, promoted_models.key, grouped_datasets.key)
    accuracy = build_forecast_accuracy(use_case, predictions.key, grouped_datasets.key)
    drift = build_model_drift(use_case, promoted_models.key, grouped_datasets.key, accuracy.key)
    stages = [raw_data, grouped_datasets, trained_models, promoted_models, predictions, accuracy]
    return dg.Definitions(
        assets=[*stages, drift],
        asset_checks=[
            build_raw_data_checks(use_case, raw_data.key),
            build_freshness_check(use_case, raw_data.key),
            build_grouped_datasets_check(use_case, grouped_datasets.key),
            build_trained_models_checks(use_case, trained_models.key),
            build_promoted_models_check(use_case, promoted_models.key),
            build_predictions_check(use_case, predictions.key),
            build_forecast_accuracy_checks(use_case, accuracy.key),
            build_model_drift_checks(use_case, drift.key),
        ],
        jobs=[
            *build_jobs(use_case),
            build_retrain_job(use_case),
            build_refresh_job(use_case),
            build_rollback_job(use_case),
        ],
        schedules=build_schedules(use_case),
        sensors=[
            build_freshness_sensor(use_case, raw_data.key),
            *build_new_data_sensors(use_case),
            build_retraining_sensor(use_case),
        ],
        resources={NAMES: names_io_manager},
    )
