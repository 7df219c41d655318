from __future__ import annotations

import pytest

from many_models.core.registration import ModelRecord, StoredModel


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


STORED = StoredModel("pack+file:///a.pack/8", "run", "m-1", "a digest")


def test_the_digest_of_a_stored_model_is_what_its_writer_says() -> None:
    record = ModelRecord("sales.1", b"", {}, {}, {"use_case": "sales"}, stored=STORED)
    assert record.version_tags() == {"use_case": "sales", "payload_sha256": "a digest"}


@pytest.mark.parametrize(("payload", "stored"), [(b"", None), (b"payload", STORED)])
def test_a_model_comes_with_its_payload_or_is_stored_already(
    payload: bytes, stored: StoredModel | None
) -> None:
    with pytest.raises(ValueError, match=r"model sales\.1 needs a payload, or to be stored"):
        ModelRecord("sales.1", payload, {}, {}, {}, stored=stored)
