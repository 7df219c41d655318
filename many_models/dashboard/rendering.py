"""Templates: what all pages have in common, and values as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from many_models import __version__
from many_models.core.results_links import Links
from many_models.core.use_case import AnyUseCase
from many_models.dashboard import wording

NAVIGATION = (
    ("", "Overview"),
    ("partitions", "Partitions"),
    ("groups", "Groups"),
    ("candidates", "Candidates"),
    ("attention", "Attention"),
    ("inventory", "Inventory"),
    ("data", "Data"),
)
_FILTERS = ("number", "percent", "signed", "day", "moment", "duration", "plural", "as_time")


class Pages:
    """Renders templates; ``root`` is the path that a proxy puts before all of ours."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        self._environment = Environment(
            loader=PackageLoader("many_models.dashboard"),
            autoescape=select_autoescape(["html"], default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {name: getattr(wording, name) for name in _FILTERS}
        self._environment.globals |= {"root": root, "version": __version__}

    def links(self, use_case: str) -> Links:
        return Links(use_case, self.root)

    def of(self, use_case: AnyUseCase, template: str, here: str, **values: Any) -> HTMLResponse:
        """A page of one use case; ``here`` is its place in the navigation."""
        links = self.links(use_case.name)
        menu = [
            (title, links.page(name) if name else links.overview, name == here)
            for name, title in NAVIGATION
            if name != "inventory" or getattr(use_case, "inventory", None)
        ]
        return self.plain(template, use_case=use_case, links=links, menu=menu, **values)

    def plain(self, template: str, code: int = 200, **values: Any) -> HTMLResponse:
        """A page of no use case."""
        given: Mapping[str, Any] = {
            "use_case": None,
            "menu": (),
            "links": None,
            "search": "",
        } | values
        return HTMLResponse(self._environment.get_template(template).render(given), code)
