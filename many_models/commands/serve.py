"""The command ``serve``: online predictions of a use case's champions over HTTP."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from many_models import settings
from many_models.commands.use_case import UseCaseFile
from many_models.core.keys import group_key, parse_group_key
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import load_use_case

AT_LEAST_ONE = click.IntRange(1)


class UseCasePath(UseCaseFile):
    """As ``UseCaseFile``, but what comes of it is the path: each worker reads the file anew."""

    def convert(self, value: object, param: object, ctx: object) -> tuple[AnyUseCase, Path]:  # type: ignore[override]
        packaged = settings.PACKAGED_USE_CASES / f"{value}.yaml"
        path = packaged if packaged.is_file() else Path(str(value)).absolute()
        return load_use_case(path), path


@click.command()
@click.argument("use_case", type=UseCasePath())
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256))
@click.option("--cache-mb", default=256.0, show_default=True, help="Of all workers together.")
@click.option(
    "--refresh", "refresh_seconds", default=2.0, show_default=True, help="Seconds between looks."
)
@click.option(
    "--history",
    default="model",
    show_default=True,
    type=click.Choice(["model", "lake"]),
    help="What forecasts go by: what the model has seen, or what the lake holds by now.",
)
@click.option(
    "--unknown",
    default="fallback",
    show_default=True,
    type=click.Choice(["fallback", "refuse"]),
    help="Groups without a model: as in batch, or 404.",
)
@click.option("--max-request-mb", "request_mb", default=8.0, show_default=True)
@click.option("--max-rows", "rows_max", default=10_000, show_default=True, type=AT_LEAST_ONE)
@click.option("--max-waiting", "waiting_max", default=64, show_default=True, type=AT_LEAST_ONE)
@click.option(
    "--timeout", "timeout_seconds", default=10.0, show_default=True, help="Of one request."
)
@click.option("--threads", default=4, show_default=True, type=AT_LEAST_ONE, help="Of one worker.")
@click.option("--warm", type=click.File(), help="Keys to load first, one a line.")
@click.option("--pin", "pinned", type=click.File(), help="The same, never to be evicted.")
@click.option("--no-auth", is_flag=True, help="Ask for no API key; only on loopback.")
def serve(
    use_case: tuple[AnyUseCase, Path],
    host: str,
    port: int,
    workers: int,
    cache_mb: float,
    no_auth: bool,
    warm: Iterable[str] | None,
    pinned: Iterable[str] | None,
    **chosen: Any,
) -> None:
    """Predict online: MLflow's scoring protocol, with models loaded when they are asked for.

    The environment variable MANY_MODELS_API_KEY holds the key that clients send; several may be
    given, separated by commas.
    """
    from many_models.serving_process import API_KEYS, SETTINGS, ServingSettings

    found, path = use_case
    if no_auth and not is_loopback(host):
        raise click.UsageError(f"--no-auth is for loopback alone, and {host} is not")
    if not no_auth and not os.environ.get(API_KEYS, "").strip(", "):
        raise click.UsageError(
            f"set {API_KEYS} to the key that clients are to send, or give --no-auth to ask for "
            "none (on loopback)"
        )
    pins = _keys(pinned, found)
    try:
        asked = ServingSettings(
            use_case=str(path),
            cache_mb=cache_mb / workers,
            warm=(*pins, *_keys(warm, found)),
            pinned=pins,
            open_to_all=no_auth,
            **chosen,
        )
    except ValidationError as error:
        told = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
        raise click.UsageError(told) from error
    require_free(host, port)
    os.environ[SETTINGS] = asked.model_dump_json()
    _run(host, port, workers, asked.timeout_seconds)


def _run(host: str, port: int, workers: int, seconds: float) -> None:
    import uvicorn

    uvicorn.run(
        "many_models.serving_process:make_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(seconds) + 5,
    )


def _keys(lines: Iterable[str] | None, use_case: AnyUseCase) -> tuple[str, ...]:
    """Composite keys in a file, as the platform writes them."""
    texts = [line.strip() for line in lines or () if line.strip()]
    return tuple(group_key(use_case.keys, parse_group_key(t, use_case.keys)) for t in texts)


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_free(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise click.BadParameter(f"{host}:{port} cannot be used ({error.strerror})") from error
