from __future__ import annotations

import os
import re

from many_models.adapters.serving.exposition import Figure, RequestCounts, write_metrics


def test_metrics_are_what_prometheus_reads() -> None:
    counts = RequestCounts()
    for seconds in (0.0005, 0.003, 99.0):
        counts.count("/invocations", 200, seconds)
    counts.count("/ping", 200, 0.1)
    counts.rows.update({"model": 3})
    text = write_metrics(counts, [Figure("champions", "gauge", "Champions known.", 7)])
    worker = f'worker="{os.getpid()}"'
    lines = text.splitlines()
    assert f'many_models_requests_total{{path="/invocations",status="200",{worker}}} 3' in lines
    assert f'many_models_rows_total{{source="model",{worker}}} 3' in lines
    assert f'many_models_invocation_seconds_bucket{{le="0.001",{worker}}} 1' in lines
    assert f'many_models_invocation_seconds_bucket{{le="0.005",{worker}}} 2' in lines
    assert f'many_models_invocation_seconds_bucket{{le="+Inf",{worker}}} 3' in lines
    assert f"many_models_invocation_seconds_count{{{worker}}} 3" in lines
    assert f"many_models_champions{{{worker}}} 7.0" in lines
    sample = re.compile(r'[a-z_]+\{([a-z]+="[^"]*",?)*\} [0-9.e+-]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)
    assert text.endswith("\n")
