"""Groups: finding some among very many, by what their keys contain and how they ended."""

from __future__ import annotations

from dataclasses import dataclass

from many_models.core.skill import skill_sql
from many_models.steps.pages.reader import Listing, Reader

WORDS_MAX = 8


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for: every word of ``text`` stands somewhere in the key, whatever its case."""

    text: str = ""
    partition: str = ""
    status: str = ""
    candidate: str = ""


def list_groups(reader: Reader, sought: Sought, order: str = "key", page: int = 1) -> Listing:
    """One page of the groups: ``group_key``, ``partition``, ``status``, ``reason``, ``candidate``,
    ``score``, ``skill``, ``observations``.
    """
    conditions, values = _conditions(sought)
    select = (
        'SELECT group_key, "partition", status, reason, candidate, score, '
        f"{skill_sql(reader.use_case)} AS skill, observations "
        f"FROM {{groups}}{conditions}"
    )
    return reader.listing(select, _order(reader, order), page, **values)


def _order(reader: Reader, order: str) -> str:
    best = "DESC" if reader.use_case.higher_is_better else "ASC"
    by = {
        "skill": "skill IS NULL, skill, ",
        "score": f"score IS NULL, score {best}, ",
        "observations": "observations IS NULL, observations DESC, ",
    }
    return f"{by.get(order, '')}group_key"


def _conditions(sought: Sought) -> tuple[str, dict[str, object]]:
    parts, values = [], dict[str, object]()
    for number, word in enumerate(sought.text.split()[:WORDS_MAX]):
        parts.append(rf"LOWER(group_key) LIKE :word{number} ESCAPE '\'")
        values[f"word{number}"] = f"%{_literal(word.lower())}%"
    for column in ("partition", "status", "candidate"):
        if wanted := getattr(sought, column):
            parts.append(f'"{column}" = :{column}')
            values[column] = wanted
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def _literal(word: str) -> str:
    """A word in a pattern of LIKE, as it is."""
    for sign in "\\%_":
        word = word.replace(sign, f"\\{sign}")
    return word
