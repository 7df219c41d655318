"""What of a use case its models depend on, as a short digest: ``config_version`` of the ledger.

It changes when training would give other models of the same data. Only what is not at its default
counts, so that a field that is new in the platform changes no digest. What does not count:

- names and words: ``name``, ``description``;
- of ``source`` all but ``table``, ``query`` and ``start``: where the data lies, how it is fetched
  and watched; and its ``end``, since data that was added is no change of the use case. The layout
  of a query is none, either;
- what is done with models: ``promotion``, ``predictions``, ``drift``, ``retraining``,
  ``schedules``;
- ``inventory``, but for whether there is one: only then models tell what safety stock needs;
- ``core_minutes``: how many groups get their turn, not what becomes of them.
"""

from __future__ import annotations

import hashlib
import json

from many_models.core.use_case import AnyUseCase

DIGITS = 12
NO_MATTER = frozenset(
    {
        "name",
        "description",
        "source",
        "core_minutes",
        "promotion",
        "predictions",
        "drift",
        "retraining",
        "schedules",
        "inventory",
    }
)


def config_version(use_case: AnyUseCase) -> str:
    """Digest (hex) of what training depends on."""
    content = use_case.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude=set(NO_MATTER)
    )
    source = use_case.source
    query = source.table if source.query is None else " ".join(source.query.split())
    content |= {"problem": use_case.problem, "source": [query, str(source.start)]}
    if getattr(use_case, "inventory", None) is not None:
        content["inventory"] = True
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
