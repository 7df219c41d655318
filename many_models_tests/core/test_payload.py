from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from many_models.core.payload import dump_payload, load_payload


def test_a_model_comes_back_from_its_payload_and_the_digest_is_the_payloads() -> None:
    payload, digest = dump_payload({"level": 2.5})
    assert digest == hashlib.sha256(payload).hexdigest()
    assert load_payload(payload, dict) == {"level": 2.5}


def test_a_model_of_another_kind_is_refused_by_both_names() -> None:
    payload, _ = dump_payload([1.0])
    with pytest.raises(TypeError, match="holds a list, not a dict"):
        load_payload(payload, dict)


def test_equal_models_have_equal_payloads_whether_their_texts_are_one_object_or_two() -> None:
    text, copy = "drop", "".join(["dr", "op"])
    assert text is not copy
    assert dump_payload([text, text]) == dump_payload([text, copy])


def test_a_model_trained_after_another_was_unpickled_has_the_bytes_of_one_trained_before() -> None:
    """In processes of their own, as what a process has done before is what matters."""
    lines = [
        "import pickle, sys",
        "from sklearn.preprocessing import OneHotEncoder",
        "from many_models.core.payload import dump_payload",
        "if sys.argv[1]: pickle.loads(bytes.fromhex(sys.argv[1]))",
        "print(dump_payload([OneHotEncoder(), 'drop'])[1])",
    ]
    loaded = pickle.dumps(OneHotEncoder()).hex()
    digests = {
        subprocess.run(
            [sys.executable, "-c", "\n".join(lines), before],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for before in ("", loaded)
    }
    assert len(digests) == 1


def test_arrays_come_back_as_they_were_and_can_be_written() -> None:
    arrays = [np.arange(3.0), np.zeros(1, np.uint8), np.zeros(1, np.uint8), np.array(["a"], object)]
    payload, _ = dump_payload(arrays)
    found = load_payload(payload, list)
    for array, back in zip(arrays, found, strict=True):
        assert back.dtype == array.dtype
        assert back.tolist() == array.tolist()
        assert back.flags.writeable
