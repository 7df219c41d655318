"""What only the SQLite result store could get wrong."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from many_models.adapters.results.store import ResultStore

STATUS = Path("/proc/self/status")


def virtual_megabytes() -> int:
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("VmSize:")]
    return int(line.split()[1]) // 1024


@pytest.mark.skipif(not STATUS.exists(), reason="the system does not tell")
def test_a_small_result_reserves_little_memory(tmp_path: Path) -> None:
    # With hundreds of reserved gigabytes this process could not start another one, such as Spark.
    store = ResultStore(f"sqlite:///{tmp_path}/results.db")
    rows = pa.table({"run": ["1"] * 3, "group": ["a", "b", "c"], "score": [0.1, 0.2, 0.3]})
    store.replace_slice("ledger", rows, where={"run": "1"})
    before = virtual_megabytes()
    result = store.query("SELECT * FROM ledger")
    assert virtual_megabytes() - before < 1000
    assert result.num_rows == 3
