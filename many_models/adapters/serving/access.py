"""Who may ask: whoever sends one of the API keys, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256

OPEN_PATHS = frozenset({"/ping", "/health", "/version"})
"""What load balancers ask, who have no key."""


class ApiKeys:
    """The keys that open a service; several at once, so that one can follow another."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [sha256(key.encode()).digest() for key in keys]

    def admit(self, path: str, headers: Mapping[str, str]) -> bool:
        """Whether a request to ``path`` may pass: ``Authorization: Bearer KEY``, or ``X-API-Key``.

        How long it takes says nothing of the keys, not even of their length.
        """
        if path in OPEN_PATHS:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        digest = sha256(given.encode()).digest()
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def read_keys(text: str) -> tuple[str, ...]:
    """Keys in a setting: separated by commas."""
    return tuple(key for part in text.split(",") if (key := part.strip()))
