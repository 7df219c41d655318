"""The command ``results``: pages about what was trained, promoted and predicted, in a browser."""

from __future__ import annotations

import os
from pathlib import Path

import click

from many_models.commands.serve import UseCasePath, is_loopback, require_free
from many_models.core.use_case import AnyUseCase


@click.command()
@click.argument("use_cases", type=UseCasePath(), nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256))
@click.option("--root-path", default="", help="The path that a proxy puts before ours: /results.")
@click.option("--no-auth", is_flag=True, help="Ask for no password, on any host.")
def results(
    use_cases: tuple[tuple[AnyUseCase, Path], ...],
    host: str,
    port: int,
    workers: int,
    root_path: str,
    no_auth: bool,
) -> None:
    """Show results in a browser: of these use cases, or of all that the result store knows.

    On loopback everybody may read. Elsewhere readers are asked for a password, which the
    environment variable MANY_MODELS_RESULTS_PASSWORD holds.
    """
    from many_models.results_process import PASSWORD, SETTINGS, ResultsSettings

    if not no_auth and not is_loopback(host) and not os.environ.get(PASSWORD, "").strip():
        raise click.UsageError(
            f"{host} is reached by others: set {PASSWORD} to what readers are to type, or give "
            "--no-auth where something before these pages asks already"
        )
    asked = ResultsSettings(
        use_cases=tuple(str(path) for _, path in use_cases),
        root_path=root_path.rstrip("/"),
        open_to_all=no_auth,
        on_loopback=is_loopback(host),
    )
    require_free(host, port)
    os.environ[SETTINGS] = asked.model_dump_json()
    click.echo(f"Results: http://{host}:{port}{asked.root_path}/ (ctrl-c ends)")
    _run(host, port, workers)


def _run(host: str, port: int, workers: int) -> None:
    import uvicorn

    uvicorn.run(
        "many_models.results_process:make_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
