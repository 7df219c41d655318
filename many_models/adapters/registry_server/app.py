"""MLflow's server with a way in for thousands of models: ``mlflow server --app-name many-models``.

MLflow's usual app and one more address, see ``registrations``. ``--app-name many-models-auth`` is
the same behind MLflow's basic authentication, as ``basic-auth`` is MLflow's own. Both serve what
stands in packs beside all other artifacts, from the destination as it is.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from many_models.adapters.registry.registration_stream import PATH
from many_models.adapters.registry_server.permissions import BasicAuthPermissions, Permissions
from many_models.adapters.registry_server.registrations import Registrations
from many_models.adapters.registry_server.request_limit import RequestLimit
from many_models.adapters.registry_server.storage import serve_packs

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> Any:
    """The app of ``many-models``: for uvicorn an ASGI app, for gunicorn and waitress Flask's."""
    from mlflow.server import app

    _extend(app, None)
    if not _is_asgi():
        return app
    from mlflow.server.fastapi_app import app as asgi_app

    return RequestLimit(asgi_app)


def create_auth_app() -> Any:
    """The app of ``many-models-auth``: whoever MLflow's configuration lets in, and no one else."""
    from mlflow.server import app, auth

    permissions = BasicAuthPermissions()
    permissions.take_charge_of(_extend(app, permissions))
    with _one_at_a_time():
        protected = auth.create_app(app)
    return RequestLimit(protected) if _is_asgi() else protected


def _extend(app: Flask, permissions: Permissions | None) -> str:
    """Add our address to MLflow's app; returns the path."""
    from mlflow.server.handlers import _add_static_prefix, catch_mlflow_exception

    serve_packs()
    endpoint = Registrations(permissions)
    path: str = _add_static_prefix(PATH)
    for method, view in (("GET", endpoint.offer), ("POST", endpoint.register)):
        handler = catch_mlflow_exception(view)  # type: ignore[no-untyped-call]
        app.add_url_rule(path, f"many_models_{method}", handler, methods=[method])
    return path


def _is_asgi() -> bool:
    return os.environ.get("_MLFLOW_SGI_NAME") == "uvicorn"


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let the workers of a server come one after the other.

    For ``basic-auth`` alone MLflow sets up the database of users before it starts workers; those of
    another app would all do it at once, and all but one fail.
    """
    path = Path(tempfile.gettempdir(), f"many-models-auth-{os.getuid()}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
