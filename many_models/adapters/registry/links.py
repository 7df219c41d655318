"""Where MLflow's own pages show a model: addresses at a server, a command for a database."""

from __future__ import annotations

from urllib.parse import quote, urlsplit


def models_url(registry: str) -> str | None:
    """Page of all models; None where the registry is no server."""
    return f"{_pages(registry)}/models" if is_server(registry) else None


def version_url(registry: str, name: str, version: int) -> str | None:
    """Page of a model version; None where the registry is no server."""
    if not is_server(registry):
        return None
    return f"{_pages(registry)}/models/{quote(name, safe='')}/versions/{version}"


def is_server(registry: str) -> bool:
    return urlsplit(registry).scheme in ("http", "https")


def _pages(registry: str) -> str:
    """Start of a server's pages, without the credentials that its URI may hold."""
    parts = urlsplit(registry)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}/#"
