"""The command ``results``: pages about what was trained, promoted and predicted, in a browser."""

from __future__ import annotations

import os

import click

from many_models import settings
from many_models.cli_serve import is_loopback, require_free
from many_models.cli_use_case import UseCaseFile
from many_models.core.use_case import AnyUseCase

PASSWORD = "MANY_MODELS_RESULTS_PASSWORD"


@click.command()
@click.argument("use_cases", type=UseCaseFile(), nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535))
@click.option("--root-path", default="", help="The path that a proxy puts before ours: /results.")
@click.option("--no-auth", is_flag=True, help="Ask for no password, on any host.")
def results(
    use_cases: tuple[AnyUseCase, ...], host: str, port: int, root_path: str, no_auth: bool
) -> None:
    """Show results in a browser: of these use cases, or of all that the result store knows.

    On loopback everybody may read. Elsewhere readers are asked for a password, which the
    environment variable MANY_MODELS_RESULTS_PASSWORD holds.
    """
    password = os.environ.get(PASSWORD, "").strip() or None
    if no_auth:
        password = None
    elif password is None and not is_loopback(host):
        raise click.UsageError(
            f"{host} is reached by others: set {PASSWORD} to what readers are to type, or give "
            "--no-auth where something before these pages asks already"
        )
    from many_models.adapters.lake.tables import Lake
    from many_models.adapters.results.store import ResultStore
    from many_models.dashboard.app import LOOPBACK, create_app
    from many_models.dashboard.site import Site

    require_free(host, port)
    store, lake = ResultStore(os.environ[settings.STORE]), Lake(os.environ[settings.LAKE])
    site = Site(store, lake, *use_cases)
    hosts = LOOPBACK if is_loopback(host) and not no_auth else ()
    app = create_app(site, password=password, root=root_path.rstrip("/"), hosts=hosts)
    click.echo(f"Results: http://{host}:{port}{root_path}/ (ctrl-c ends)")
    _run(app, host, port)


def _run(app: object, host: str, port: int) -> None:
    import uvicorn

    uvicorn.run(
        app,  # type: ignore[arg-type]  # an ASGI app
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
