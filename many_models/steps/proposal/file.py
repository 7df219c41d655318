"""The use case file that a proposal becomes: YAML for people, with the reason beside each guess."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import yaml

from many_models.core.frequency import Frequency
from many_models.core.use_case_file import parse_use_case
from many_models.steps.proposal.choices import said
from many_models.steps.proposal.propose import Proposal
from many_models.steps.proposal.propose_rows import RowProposal

_PERIODS = {"h": "hour", "D": "day", "W": "week", "MS": "month", "QS": "quarter", "YS": "year"}
_ADVERBS = {
    "h": "Hourly",
    "D": "Daily",
    "W": "Weekly",
    "MS": "Monthly",
    "QS": "Quarterly",
    "YS": "Yearly",
}


def write_use_case(proposal: Proposal | RowProposal) -> str:
    """Text of the use case file.

    Raises:
        UseCaseError: the choices do not fit together; names the field.
    """
    parts = _parts_of_rows(proposal) if isinstance(proposal, RowProposal) else _parts(proposal)
    text = "\n\n".join(parts) + "\n"
    parse_use_case(text, name=f"the proposed {proposal.choices.name}.yaml")
    return text


def _parts(proposal: Proposal) -> list[str]:
    choices = proposal.choices
    family = Frequency(said(choices.frequency)).family
    what = f"{_ADVERBS[family]} {choices.target} of every {' x '.join(said(choices.keys))}"
    return [
        _header(proposal, f"{what}, {choices.horizon} {_PERIODS[family]}s ahead."),
        _source(proposal),
        _roles(proposal, _PERIODS[family]),
        _features(proposal),
        _rules(proposal),
    ]


def _parts_of_rows(proposal: RowProposal) -> list[str]:
    choices = proposal.choices
    what = f"{choices.target} of each row, by a model of its {' x '.join(said(choices.keys))}."
    return [
        _lines(_header(proposal, what), f"problem: {choices.problem}"),
        _source(proposal),
        _roles_of_rows(proposal),
        _rules_of_rows(proposal),
    ]


def _header(proposal: Proposal | RowProposal, description: str) -> str:
    return _lines(
        f"# Proposed from table {proposal.table}: {proposal.rows:,} rows, {proposal.groups:,} "
        "groups. Change what does not fit.",
        f"name: {_scalar(proposal.choices.name)}",
        f"description: {_scalar(description)}",
    )


def _source(proposal: Proposal | RowProposal) -> str:
    origin = f"  table: {_scalar(proposal.table)}"
    if proposal.query is not None:
        reason = "rows become one for each group and period" if "GROUP BY" in proposal.query else ""
        comment = f" # {reason}" if reason else ""
        origin = f"  query: |{comment}\n{textwrap.indent(proposal.query, '    ')}"
    end = f"  end: {proposal.end} # the last day in the table; leave it out when rows are added"
    watch = [_watch(proposal, proposal.loaded_at)] if proposal.loaded_at else []
    return _lines(
        "source:",
        f"  url: {_scalar(proposal.url)}",
        f"  window: {proposal.window} # what one partition of raw_data holds",
        f"  start: {proposal.start}",
        end if proposal.end else "  # no end: the table still gets new rows",
        *watch,
        origin,
    )


def _watch(proposal: Proposal | RowProposal, loaded_at: str) -> str:
    """A comment that says how new data can be noticed by when it was loaded."""
    reason = "# lets a sensor refresh what new rows touch, whatever date they have"
    if proposal.query is None:
        return f"  # loaded_at: {_scalar(loaded_at)} {reason}"
    names = f"{proposal.choices.time}, {loaded_at} AS loaded_at"
    query = f"SELECT {names} FROM {proposal.table} WHERE {loaded_at} >= :since"
    return f"  {reason}\n  # changes: {query}"


def _partitioning(proposal: Proposal | RowProposal) -> str:
    choices = proposal.choices
    by = isinstance(choices.partitioning, str)
    values = f"one Dagster partition for each value, {proposal.partitions:,} by now"
    buckets = f"about {-(-proposal.groups // proposal.partitions):,} groups in each bucket"
    return (
        f"partitioning: {{{'by' if by else 'hash'}: {_scalar(choices.partitioning)}}} "
        f"# {values if by else buckets}"
    )


def _roles(proposal: Proposal, period: str) -> str:
    choices = proposal.choices
    gaps = {
        "zero": f"a {period} without a row is a {period} of zero; missing: it was not measured",
        "missing": f"a {period} without a row was not measured; zero: nothing happened in it",
    }
    lines = [
        f"keys: {_list(said(choices.keys))}",
        _partitioning(proposal),
        f"time: {{column: {_scalar(choices.time)}, frequency: {choices.frequency}}}",
        f"target: {_scalar(choices.target)}",
        f"horizon: {choices.horizon} # {period}s",
        f"gaps: {choices.gaps} # {gaps[said(choices.gaps)]}",
    ]
    if proposal.target_at_least_zero:
        lines.append("prediction_floor: 0 # the table has nothing below")
    return _lines(*lines)


def _features(proposal: Proposal) -> str:
    choices = proposal.choices
    known = ", ".join(
        f"{{name: {_scalar(name)}, fill: zero}}" if name in proposal.switches else _scalar(name)
        for name in said(choices.known)
    )
    return _lines(
        "features:",
        "  # past is the safe choice: such columns enter as lags only. Move one to known where the",
        "  # source has its values for the future too, in rows without a target: a planned price.",
        f"  known: [{known}]",
        f"  past: {_list(said(choices.past))}",
        f"  static: {_list(said(choices.static))} # one value a group; becomes a tag of its model",
    )


def _rules(proposal: Proposal) -> str:
    return _lines(
        "candidates: [seasonal_naive, ridge, gradient_boosting]",
        f"validation: {{metric: mase, folds: {proposal.folds}, "
        f"min_observations: {proposal.min_observations}, interval: 0.9}}",
        "promotion:",
        "  beat_baseline_by: 0.02 # an error at least 2% below that of repeating the last season",
        "  min_coverage: 0.7 # of the values, inside the interval in the backtest",
        "  min_share: 0.5 # promote a partition when half of its models qualify",
    )


def _roles_of_rows(proposal: RowProposal) -> str:
    choices = proposal.choices
    return _lines(
        f"keys: {_list(said(choices.keys))}",
        _partitioning(proposal),
        f"time: {{column: {_scalar(choices.time)}}}",
        f"row_id: {_scalar(choices.row_id)} # tells rows of one group and time apart",
        f"target: {_scalar(choices.target)} # null in rows that are yet to come",
        f"days_ahead: {choices.horizon} # rows of so many days after an origin are predicted",
        "",
        "features: # take out what is known only when the target is",
        f"  numeric: {_list(said(choices.numeric))}",
        f"  categorical: {_list(said(choices.categorical))}",
    )


def _rules_of_rows(proposal: RowProposal) -> str:
    classes = proposal.choices.problem == "classification"
    names = "majority_class, logistic" if classes else "mean, ridge"
    other = f"sklearn.ensemble.RandomForest{'Classifier' if classes else 'Regressor'}"
    by = "accuracy" if classes else "mae"
    return _lines(
        f"# Or any estimator of scikit-learn: {{estimator: {other}, with: {{max_depth: 5}}}}",
        f"candidates: [{names}, gradient_boosting] # the first is the baseline",
        f"validation: {{metric: {by}, min_rows: 50, holdout: {{by: time, share: 0.2}}}}",
        "promotion:",
        f"  beat_baseline_by: 0.02 # {by} at least 2% better than the baseline's",
        "  min_share: 0.0 # so that one good model is promoted, however few of its neighbours are",
    )


def _lines(*lines: str) -> str:
    return "\n".join(lines)


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(_scalar, names))}]"


def _scalar(value: Any) -> str:
    """One value on one line, in quotes where YAML would read it as something else."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
