"""The command ``many-models mlflow``: MLflow's own pages of one registry."""

from __future__ import annotations

import os
import sys

import click

from many_models import settings

_REGISTRIES = {
    "training": settings.TRAINING_REGISTRY,
    "production": settings.PRODUCTION_READER,
}


@click.command()
@click.argument("registry", type=click.Choice(list(_REGISTRIES)), default="production")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
def mlflow(registry: str, port: int) -> None:
    """Open a registry in MLflow: its models, versions, runs and their files.

    REGISTRY is production (the default) or training. Where it is a server, prints its address.
    """
    from many_models.adapters.registry.connection import with_driver
    from many_models.adapters.registry.links import models_url

    uri = os.environ[_REGISTRIES[registry]]
    if url := models_url(uri):
        click.echo(f"It is a server already: {url}")
        return
    click.echo(f"MLflow shows {registry} at http://127.0.0.1:{port}/#/models; Ctrl-C ends it.")
    # The URI may hold a password, which has no place in a command line that others can list.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = with_driver(uri)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    command = [sys.executable, "-m", "mlflow", "ui", "--port", str(port), "--workers", "1"]
    sys.stdout.flush()
    os.execv(sys.executable, command)
