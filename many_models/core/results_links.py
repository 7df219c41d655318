"""Addresses of the pages. What a key holds goes into the query, where any character may stand."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Links:
    """Pages of one use case below ``root``, a path or a URL without a slash at its end."""

    use_case: str
    root: str = ""

    @property
    def overview(self) -> str:
        return f"{self.root}/{self.use_case}"

    def page(self, name: str, /, **query: object) -> str:
        """A page such as ``groups``; what is empty in the query is left out."""
        given = {key: value for key, value in query.items() if value not in (None, "", 0)}
        return f"{self.overview}/{name}" + (f"?{urlencode(given)}" if given else "")

    def group(self, key: str) -> str:
        return self.page("group", key=key)

    def partition(self, name: str) -> str:
        return self.page("partition", name=name)

    def export(self, table: str, kind: str, /, **query: object) -> str:
        return self.page(f"data/{table}.{kind}", **query)
