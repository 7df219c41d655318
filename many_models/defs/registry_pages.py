"""Where an operator sees models in MLflow: links to a server, or the command that opens a database.

Only the registries' places are needed, so their settings are read, and no registry is opened.
"""

import os
from dataclasses import dataclass

import dagster as dg

from many_models import settings
from many_models.adapters.registry.links import models_url


@dataclass(frozen=True)
class RegistryPages:
    """One registry's pages; ``role`` is ``training`` or ``production``."""

    role: str
    registry: str

    @property
    def link(self) -> dg.UrlMetadataValue | dg.TextMetadataValue:
        """What to click, or to type."""
        if url := models_url(self.registry):
            return dg.MetadataValue.url(url)
        return dg.MetadataValue.text(f"many-models mlflow {self.role}")


def training_pages() -> RegistryPages:
    return RegistryPages("training", os.environ.get(settings.TRAINING_REGISTRY, ""))


def production_pages() -> RegistryPages:
    return RegistryPages("production", os.environ.get(settings.PRODUCTION_READER, ""))
