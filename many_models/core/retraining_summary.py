"""A plan of retraining in one line, for whoever looks at a tick of the sensor."""

from __future__ import annotations

from collections.abc import Sequence

from many_models.core.retraining import Deferral, Plan, Proposal

NAMES_SHOWN = 3
HURDLES = {
    "under_way": "being trained",
    "busy": "waiting for another run",
    "budget": "over the budget",
    "cool_down": "cooling down",
    "given_up": "given up",
}


def summarise(plan: Plan) -> str:
    """What is requested and what is deferred, and why, with an example of each."""
    parts = [_requested(plan.proposals)] if plan.proposals else []
    for hurdle, words in HURDLES.items():
        found = [deferral for deferral in plan.deferrals if deferral.hurdle == hurdle]
        if found:
            parts.append(_deferred(words, found))
    return "; ".join(parts) if parts else "No partition is due."


def _requested(proposals: Sequence[Proposal]) -> str:
    reasons: dict[str, int] = {}
    for proposal in proposals:
        reasons[proposal.cause.reason] = reasons.get(proposal.cause.reason, 0) + 1
    counts = ", ".join(f"{count} for {reason}" for reason, count in reasons.items())
    names = _shorten([proposal.partition for proposal in proposals])
    minutes = sum(proposal.core_seconds for proposal in proposals) / 60
    return f"{len(proposals)} requested ({counts}; about {minutes:,.1f} core-minutes): {names}"


def _deferred(words: str, found: Sequence[Deferral]) -> str:
    first = found[0]
    names = _shorten([deferral.partition for deferral in found])
    return f"{len(found)} {words} ({names}; {first.reason}: {first.text})"


def _shorten(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
