"""Reviewing predictions of any shape: forecasts by their horizon, rows one by one."""

from __future__ import annotations

from datetime import datetime

from many_models.adapters.charts.output import to_markdown
from many_models.adapters.charts.series import draw_series
from many_models.adapters.lake.tables import Lake
from many_models.core.errors import UseCaseError
from many_models.core.forecast.use_case import UseCase
from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case import AnyUseCase
from many_models.steps import forecast_review
from many_models.steps.forecast_review import Coverage, select_examples
from many_models.steps.results import Results
from many_models.steps.row_review import RowCoverage, count_row_coverage, tabulate_predictions


def count_coverage(
    use_case: AnyUseCase, origin: datetime, lake: Lake, results: Results
) -> Coverage | RowCoverage:
    """Whether one origin has all the predictions it should have."""
    if isinstance(use_case, TabularUseCase):
        return count_row_coverage(use_case, origin, lake, results)
    return forecast_review.count_coverage(_forecast(use_case), origin, lake, results)


def show_examples(use_case: AnyUseCase, origin: datetime, lake: Lake, results: Results) -> str:
    """Markdown that shows an operator what was predicted."""
    if isinstance(use_case, TabularUseCase):
        return tabulate_predictions(use_case, origin, results)
    examples = select_examples(_forecast(use_case), origin, lake, results)
    if not examples:
        return "Nothing was forecast."
    return to_markdown(draw_series(examples, use_case.target), "forecasts")


def _forecast(use_case: AnyUseCase) -> UseCase:
    if not isinstance(use_case, UseCase):
        raise UseCaseError(f"predictions of problem {use_case.problem!r} cannot be reviewed")
    return use_case
