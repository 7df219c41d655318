"""The app of the results pages: what every page and every error has in common.

Whatever goes wrong is a page with a sentence, and never a traceback.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from many_models import __version__
from many_models.adapters.charts.groups_of_skill import draw_skill
from many_models.adapters.charts.output import javascript, to_spec
from many_models.core.errors import ManyModelsError, NotReadyError, StoreError, UseCaseError
from many_models.dashboard.access import Access
from many_models.dashboard.data_pages import data_pages
from many_models.dashboard.rendering import Pages
from many_models.dashboard.site import Site
from many_models.dashboard.use_case_pages import use_case_pages
from many_models.steps.pages.overview import (
    Forecasts,
    Training,
    count_champions,
    read_forecasts,
    read_training,
)

logger = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "testserver")
OWN_FILES = ("vega.js", "draw.js", "results.css")
_TITLES = {400: "Not a right address", 404: "Not found", 503: "Out of reach"}
_TYPES = {"css": "text/css", "js": "text/javascript"}


def create_app(
    site: Site, *, password: str | None = None, root: str = "", hosts: tuple[str, ...] = ()
) -> FastAPI:
    """The app; without a password everybody may read. ``hosts`` are names that it answers to."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warm = asyncio.create_task(asyncio.to_thread(_warm_up))  # or the first reader would wait
        yield
        await warm

    app = FastAPI(
        lifespan=lifespan,
        title="Many Models results",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    pages = Pages(root)
    _add_own(app, site, pages)
    app.include_router(data_pages(site, pages))
    app.include_router(use_case_pages(site, pages))
    _add_errors(app, pages)
    app.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=5)
    app.add_middleware(Access, password=password)
    if hosts:  # else a page elsewhere could name itself 127.0.0.1, and read
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    return app


def _warm_up() -> None:
    """Do once what takes a second or two."""
    for name in OWN_FILES:
        _file(name)
    to_spec(draw_skill([(0.0, 1)]))


def _add_own(app: FastAPI, site: Site, pages: Pages) -> None:
    @app.get("/", response_class=HTMLResponse)
    def index() -> HTMLResponse:
        """All use cases."""
        shown = [(found, _summary(site, name)) for name, found in sorted(site.use_cases().items())]
        return pages.plain("index.html", shown=shown, links_of=pages.links)

    @app.get("/-/health", response_class=PlainTextResponse)
    def health() -> str:
        """Whether the process answers."""
        return "ok\n"

    @app.get("/-/{file}")
    def own_file(file: str, request: Request) -> Response:
        """Style sheet and scripts, which change with our version only."""
        content, tag = _file(file)
        headers = {"etag": tag, "cache-control": "public, max-age=86400"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        kind = _TYPES[file.rpartition(".")[2]]
        return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)


def _summary(site: Site, name: str) -> tuple[Training, int, Forecasts] | None:
    """What a use case has; None where nothing of it was run yet."""
    try:
        with site.reading(name) as reader:
            return read_training(reader), count_champions(reader), read_forecasts(reader)
    except NotReadyError:
        return None


@cache
def _file(name: str) -> tuple[str, str]:
    if name == "vega.js":
        content = javascript()
    elif name in OWN_FILES:
        content = (files("many_models.dashboard") / "templates" / name).read_text()
    else:
        raise HTTPException(404, "there is no such page")
    return content, f'"{hashlib.sha256(content.encode()).hexdigest()[:24]}"'


def _add_errors(app: FastAPI, pages: Pages) -> None:
    def problem(status: int, text: str) -> HTMLResponse:
        return pages.plain(
            "problem.html",
            status,
            title=_TITLES.get(status, "This page cannot be shown"),
            text=text,
        )

    @app.exception_handler(ManyModelsError)
    async def known(request: Request, error: ManyModelsError) -> Response:
        if isinstance(error, NotReadyError):
            return pages.plain("problem.html", title="Nothing here yet", text=str(error))
        missing = isinstance(error, UseCaseError)
        if not missing:
            logger.warning("%s: %s", request.url.path, error)
        status = 404 if missing else 503 if isinstance(error, StoreError) else 500
        return problem(status, str(error))

    @app.exception_handler(RequestValidationError)
    async def misused(_: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in error.errors())
        return problem(400, f"This address is not right: {told}.")

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        text = "There is no such page." if error.status_code == 404 else str(error.detail)
        return problem(error.status_code, text)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        logger.error("a page failed", exc_info=error)
        return problem(500, "The page could not be made; the log of the server says why.")
