"""The HTTP service: MLflow's scoring protocol, and a look at models, health and metrics.

Only what HTTP is about; what answers is given as a ``Service``. Errors are JSON with ``error_code``
and ``message``, as MLflow's are, and never tell what only a log may.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Protocol

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from many_models import __version__
from many_models.adapters.serving.access import ApiKeys
from many_models.adapters.serving.exposition import (
    CONTENT_TYPE,
    Figure,
    RequestCounts,
    write_metrics,
)
from many_models.adapters.serving.failures import BUSY, ERRORS, add_error_handlers, error_response
from many_models.adapters.serving.gate import Gate
from many_models.adapters.serving.guard import Guard
from many_models.adapters.serving.protocol import (
    REQUEST_SCHEMA,
    read_columns,
    write_predictions,
)
from many_models.core.failure import Problem
from many_models.core.online import OUT_OF_REACH, Columns, Scored

logger = logging.getLogger(__name__)

_NOT_SERVED = {OUT_OF_REACH: (400, "BAD_REQUEST")}


class Service(Protocol):
    """What answers: may be asked by many threads at once."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def score(self, columns: Columns) -> Scored: ...

    def list_models(self, start: int, limit: int, partition: str | None) -> Mapping[str, Any]: ...

    def find_model(self, key: str) -> Mapping[str, Any] | None: ...

    def health(self) -> Mapping[str, Any]: ...

    def figures(self) -> Sequence[Figure]: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may bring, how many may wait at once, and how long one may take."""

    body_bytes: int = 8 << 20
    rows: int = 10_000
    waiting: int = 64
    seconds: float = 10.0
    threads: int = 4


def create_app(
    service: Service,
    *,
    title: str,
    keys: Sequence[str],
    limits: Limits | None = None,
    prepare_thread: Callable[[], object] = lambda: None,
) -> FastAPI:
    """The app; without ``keys`` everybody may ask."""
    bounds = limits or Limits()
    counts = RequestCounts()
    gate = Gate(bounds.threads, bounds.waiting, bounds.seconds, prepare_thread)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        yield
        service.stop()
        gate.close()

    app = FastAPI(title=title, version=__version__, lifespan=lifespan)
    add_error_handlers(app)
    _add_scoring(app, service, bounds, counts, gate)
    _add_models(app, service, gate)
    _add_operations(app, service, counts, gate)
    app.add_middleware(Guard, keys=ApiKeys(keys) if keys else None, count=counts.count)
    return app


def _add_scoring(
    app: FastAPI, service: Service, limits: Limits, counts: RequestCounts, gate: Gate
) -> None:
    body = {"required": True, "content": {"application/json": {"schema": REQUEST_SCHEMA}}}

    @app.post("/invocations", openapi_extra={"requestBody": body}, responses=ERRORS)
    async def invocations(request: Request) -> Response:
        """Predict rows of any groups; one prediction a row, in their order."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return error_response(415, "BAD_REQUEST", "send JSON, as application/json")
        content = await _read_body(request, limits)
        scored, written = await gate.run(partial(_score, service, content, limits.rows))
        counts.rows.update(scored.sources)
        if refusal := scored.refusal:
            return _refuse(refusal)
        return Response(written, media_type="application/json")


def _score(service: Service, content: bytes, rows_max: int) -> tuple[Scored, bytes]:
    scored = service.score(read_columns(content, rows_max))
    return scored, write_predictions(scored.records)


def _refuse(problem: Problem) -> Response:
    """The answer to a request none of whose rows could be served."""
    status, code = _NOT_SERVED.get(problem.reason, (404, "RESOURCE_DOES_NOT_EXIST"))
    return error_response(status, code, problem.error or "", reason=problem.reason)


def _add_models(app: FastAPI, service: Service, gate: Gate) -> None:
    @app.get("/models")
    async def models(
        start: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        partition: str | None = None,
    ) -> dict[str, Any]:
        """The champions, sorted by key, page by page."""
        return dict(await gate.run(partial(service.list_models, start, limit, partition)))

    @app.get("/models/{key:path}", responses={404: ERRORS[404], **BUSY})
    async def model(key: str) -> Response:
        """One champion: its version, and what a row for it needs; key as in ``store=17,item=4``."""
        found = await gate.run(partial(service.find_model, key))
        if found is None:
            text = f"no model of {key!r} is in production"
            return error_response(404, "RESOURCE_DOES_NOT_EXIST", text)
        return JSONResponse(dict(found))


def _add_operations(app: FastAPI, service: Service, counts: RequestCounts, gate: Gate) -> None:
    @app.get("/ping", response_class=PlainTextResponse)
    async def ping() -> Response:
        """Whether the process answers."""
        return Response("\n", media_type="text/plain")

    @app.get("/health", responses={503: {"description": "It never saw the registry"}})
    async def health() -> Response:
        """Whether predictions can be made, and how fresh the list of champions is."""
        found = service.health()
        return JSONResponse(dict(found), 503 if found["status"] == "starting" else 200)

    @app.get("/version", response_class=PlainTextResponse)
    async def version() -> Response:
        """The version of Many Models."""
        return Response(__version__, media_type="text/plain")

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Metrics of the worker that answers, for Prometheus."""
        own = [
            Figure("requests_inside", "gauge", "Requests waiting or worked on.", gate.inside),
            Figure("turned_away_total", "counter", "Requests answered 503.", gate.turned_away),
        ]
        return Response(write_metrics(counts, [*own, *service.figures()]), media_type=CONTENT_TYPE)


async def _read_body(request: Request, limits: Limits) -> bytes:
    """The body, refused as soon as it is too large, and given up when it does not come."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limits.body_bytes:
        raise _too_large(limits)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.body_bytes:
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError:
        text = f"the request did not come within {limits.seconds:g} s"
        raise HTTPException(408, text, {"Connection": "close"}) from None
    return b"".join(parts)


def _too_large(limits: Limits) -> HTTPException:
    text = f"a request may take {limits.body_bytes} bytes; send the rows in several"
    return HTTPException(413, text, {"Connection": "close"})
