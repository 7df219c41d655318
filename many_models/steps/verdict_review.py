"""Reviewing verdicts: which models the promotion rules keep out, the worst first, with links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from many_models.adapters.registry.links import version_url
from many_models.core.use_case import AnyUseCase
from many_models.core.worst_groups import shortfall
from many_models.steps.results import Results

WORST_SHOWN = 10

Row = dict[str, Any]


def tell_worst_verdicts(
    use_case: AnyUseCase, partitions: Sequence[str], registry: str, results: Results
) -> dict[str, list[Row]]:
    """By partition the models that do not qualify, those farthest behind the baseline first.

    ``registry`` is the training registry's URI: where it is a server, models are links to it.
    """
    found: dict[str, list[Row]] = defaultdict(list)
    for row in results.latest("verdicts", partitions).to_pylist():
        if not row["qualified"] and row["group_key"] is not None:
            found[row["partition"]].append(row)
    better = use_case.higher_is_better

    def badness(row: Mapping[str, Any]) -> tuple[float, str]:
        scores = row["score"], row["baseline_score"]
        if None in scores:
            return float("inf"), row["group_key"]
        return shortfall(*scores, higher_is_better=better), row["group_key"]

    return {
        partition: [
            _shown(row, registry) for row in sorted(rows, key=badness, reverse=True)[:WORST_SHOWN]
        ]
        for partition, rows in found.items()
    }


def _shown(row: Mapping[str, Any], registry: str) -> Row:
    columns = ("group_key", "candidate", "score", "baseline_score", "coverage")
    url = version_url(registry, row["model_name"], row["model_version"])
    model = f"{row['model_name']} v{row['model_version']}"
    return {
        **{name: row[name] for name in columns},
        "why not": row["reason"],
        "model": f"[{model}]({url})" if url else model,
    }
