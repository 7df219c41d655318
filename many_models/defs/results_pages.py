"""Where an operator sees results: links to our pages, where ``MANY_MODELS_RESULTS_URL`` says."""

import os
import re
from collections.abc import Iterable

import dagster as dg

from many_models import settings
from many_models.core.results_links import Links
from many_models.core.use_case import AnyUseCase

NAME = "results"


def links_of(use_case: AnyUseCase) -> Links | None:
    """Addresses of a use case's pages; None where nobody has said that there are any."""
    url = os.environ.get(settings.RESULTS_URL, "").rstrip("/")
    return Links(use_case.name, url) if url else None


def overview_link(use_case: AnyUseCase) -> dict[str, dg.UrlMetadataValue]:
    """Metadata that leads to a use case's overview."""
    links = links_of(use_case)
    return {NAME: dg.MetadataValue.url(links.overview)} if links else {}


def partition_link(use_case: AnyUseCase, partition: str) -> dict[str, dg.UrlMetadataValue]:
    """Metadata that leads to one partition's page."""
    links = links_of(use_case)
    return {NAME: dg.MetadataValue.url(links.partition(partition))} if links else {}


def link_groups(use_case: AnyUseCase, keys: Iterable[str]) -> str:
    """Markdown of links to the pages of groups, after a picture of them; empty without pages."""
    links = links_of(use_case)
    if links is None:
        return ""
    return "\n\n" + ", ".join(f"[{_label(key)}]({links.group(key)})" for key in keys)


def _label(key: str) -> str:
    """A key as it stands in a link, whatever Markdown or HTML it holds."""
    return re.sub(r"([\\`*_\[\]<>&!])", r"\\\1", key)
