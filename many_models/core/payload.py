"""The payload of a model: its pickle, and the digest by which it is known again."""

from __future__ import annotations

import hashlib
import pickle
from typing import TypeVar

Model = TypeVar("Model")

PICKLE_PROTOCOL = 5  # fixed, so that the same model gives the same bytes and the same SHA-256


def dump_payload(model: object) -> tuple[bytes, str]:
    """Pickle of a model and its SHA-256 in hexadecimal."""
    payload = pickle.dumps(model, protocol=PICKLE_PROTOCOL)
    return payload, hashlib.sha256(payload).hexdigest()


def load_payload(payload: bytes, kind: type[Model]) -> Model:
    """Model from its pickle, which the caller has checked against its SHA-256 before.

    Raises:
        TypeError: it is a model of another kind.
    """
    model = pickle.loads(payload)
    if not isinstance(model, kind):
        raise TypeError(f"the payload holds a {type(model).__name__}, not a {kind.__name__}")
    return model
