"""Names made from group keys: the composite key, the partition, the registered model's name.

All three are deterministic, readable, and safe whatever characters a key value holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from many_models.core.errors import UseCaseError

_KEY_SPECIAL = re.compile(r"[%,=\x00-\x1f]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_PARTITION_SPECIAL = re.compile(r"[%\x00-\x1f]|\.{3,}")
_NAME_UNSAFE = re.compile(r"[^\w-]+")
_NAME_LENGTH_MAX = 200  # of MLflow's 256 characters; the digest comes on top


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{ord(character):02X}" for character in match.group())


def group_key(columns: Sequence[str], values: Sequence[str]) -> str:
    """Composite key of one group, such as ``store_id=17,department=DELI``.

    ``%``, ``,``, ``=`` and control characters inside a value are percent-encoded.
    """
    pairs = zip(columns, values, strict=True)
    return ",".join(f"{column}={_KEY_SPECIAL.sub(_percent, value)}" for column, value in pairs)


def pooled_name(use_case: str, partition: str) -> str:
    """Registered name of a partition's pooled model, such as ``grocery~pooled.DELI``.

    No model of a group has a ``~`` in its name.
    """
    return model_name(f"{use_case}~pooled", ("partition",), (partition,))


def router_name(use_case: str) -> str:
    """Registered name of the model that stands for all of a use case, such as ``grocery-router``.

    No use case has a ``-`` in its name, and no group's model a name without a dot.
    """
    return f"{use_case}-router"


def parse_group_key(text: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Values of the key columns in a composite key, in the order of ``columns``.

    Raises:
        UseCaseError: when a column is missing, unknown, given twice or without a value.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    values = {name: _ESCAPE.sub(lambda found: chr(int(found[1], 16)), v) for name, _, v in pairs}
    if sorted(name + sign for name, sign, _ in pairs) != sorted(f"{name}=" for name in columns):
        expected = ",".join(f"{column}=..." for column in columns)
        raise UseCaseError(f"key {text!r} does not name this use case's columns; write {expected}")
    return tuple(values[column] for column in columns)


def partition_of_value(value: str) -> str:
    """Dagster partition of one key value.

    Dagster refuses control characters and ``...``, and Delta reads an empty string as null, so
    these are percent-encoded (an empty value becomes a lone ``%``).
    """
    return _PARTITION_SPECIAL.sub(_percent, value) or "%"


def partition_of_hash(key: str, buckets: int) -> str:
    """Dagster partition of a composite key when groups are spread over hash buckets."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return f"hash-{int.from_bytes(digest, 'big') % buckets:0{len(str(buckets - 1))}d}"


def model_name(use_case: str, columns: Sequence[str], values: Sequence[str]) -> str:
    """Registered model's name, such as ``grocery.17.DELI``; at most 217 characters.

    Whatever MLflow or a URL would not bear becomes ``_``. Then, and where the name is too long, a
    digest of the composite key is appended after one more dot, so that two keys never share a name.
    """
    parts = [_NAME_UNSAFE.sub("_", value) for value in values]
    name = ".".join([use_case, *parts])
    if parts == list(values) and all(values) and len(name) <= _NAME_LENGTH_MAX:
        return name
    digest = hashlib.blake2b(group_key(columns, values).encode(), digest_size=8).hexdigest()
    return f"{name[:_NAME_LENGTH_MAX]}.{digest}"
