from __future__ import annotations

import hashlib

import pytest

from many_models.core.payload import dump_payload, load_payload


def test_a_model_comes_back_from_its_payload_and_the_digest_is_the_payloads() -> None:
    payload, digest = dump_payload({"level": 2.5})
    assert digest == hashlib.sha256(payload).hexdigest()
    assert load_payload(payload, dict) == {"level": 2.5}


def test_a_model_of_another_kind_is_refused_by_both_names() -> None:
    payload, _ = dump_payload([1.0])
    with pytest.raises(TypeError, match="holds a list, not a dict"):
        load_payload(payload, dict)
