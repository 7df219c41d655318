"""The payload of a model: its pickle, and the digest by which it is known again."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from collections.abc import Callable
from typing import Any, TypeVar

Model = TypeVar("Model")

_Pickler: Any = pickle._Pickler  # stubs know no more of it than its name

PICKLE_PROTOCOL = 5  # fixed, so that the same model gives the same bytes and the same SHA-256


def dump_payload(model: object) -> tuple[bytes, str]:
    """Pickle of a model and its SHA-256 in hexadecimal; equal models have equal ones."""
    buffer = io.BytesIO()
    _SteadyPickler(buffer, PICKLE_PROTOCOL).dump(model)
    payload = buffer.getvalue()
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


class _SteadyPickler(_Pickler):  # type: ignore[misc]  # as its parent is of any type
    """Writes equal texts once, whether or not they are one object.

    Whether they are depends on what the process did before: names of attributes are other objects
    once it has unpickled an estimator of scikit-learn. A fifth of a millisecond a model.
    """

    dispatch: dict[type, Callable[..., None]] = dict(_Pickler.dispatch)  # noqa: RUF012

    def save_str(self, text: str) -> None:
        one = sys.intern(text)
        if (known := self.memo.get(id(one))) is None:
            _Pickler.save_str(self, one)
        else:
            self.write(self.get(known[0]))

    def save_picklebuffer(self, buffer: Any) -> None:
        # The standard library's stumbles over buffers of one byte, which are one object.
        with buffer.raw() as view:
            self.save(view.tobytes() if view.readonly else bytearray(view))

    dispatch[str] = save_str
    dispatch[pickle.PickleBuffer] = save_picklebuffer
