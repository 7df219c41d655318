from __future__ import annotations

from many_models.core.registration import ModelRecord


def test_a_record_is_shown_without_the_bytes_it_carries() -> None:
    record = ModelRecord(
        name="sales.1",
        payload=b"secret",
        metrics={},
        params={},
        tags={},
        files={"MLmodel": b"secret"},
    )
    assert "sales.1" in repr(record)
    assert "secret" not in repr(record)
