"""Errors of the service as HTTP tells them: JSON with ``error_code`` and ``message``, as MLflow's.

Here belong which error gets which status, and how the description of the service names them.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from many_models.adapters.serving.gate import DeadlineError, OverloadError
from many_models.core.errors import NotReadyError, RequestError

_MESSAGE_LENGTH = 1_000
_NOT_READY_SECONDS = 5


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error that a route may raise."""

    @app.exception_handler(RequestError)
    async def wrong_rows(_: Request, error: RequestError) -> Response:
        return error_response(400, "BAD_REQUEST", str(error))

    @app.exception_handler(OverloadError)
    async def overloaded(_: Request, error: OverloadError) -> Response:
        response = error_response(503, "TEMPORARILY_UNAVAILABLE", str(error))
        response.headers["Retry-After"] = str(error.retry_seconds)
        return response

    @app.exception_handler(NotReadyError)
    async def not_ready(_: Request, error: NotReadyError) -> Response:
        response = error_response(503, "TEMPORARILY_UNAVAILABLE", str(error))
        response.headers["Retry-After"] = str(_NOT_READY_SECONDS)
        return response

    @app.exception_handler(DeadlineError)
    async def too_slow(_: Request, error: DeadlineError) -> Response:
        return error_response(504, "DEADLINE_EXCEEDED", str(error))

    @app.exception_handler(RequestValidationError)
    async def wrong_parameters(_: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return error_response(422, "BAD_REQUEST", told)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        response = error_response(error.status_code, "BAD_REQUEST", str(error.detail))
        response.headers.update(error.headers or {})
        return response


def error_response(status: int, code: str, message: str, **more: str) -> Response:
    """An error as MLflow's clients know them; what clients sent may stand in it, cut off."""
    told = {"error_code": code, "message": message[:_MESSAGE_LENGTH], **more}
    return Response(json.dumps(told), status, media_type="application/json")


def _described(text: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["error_code", "message"],
        "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
    }
    return {"description": text, "content": {"application/json": {"schema": schema}}}


BUSY: dict[int | str, dict[str, Any]] = {
    503: _described("Too many requests at once: try again after Retry-After seconds"),
    504: _described("It took too long"),
}
ERRORS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "predictions: one record a row, in their order",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    400: _described("The rows are not what the models take"),
    401: _described("The API key is missing or wrong"),
    404: _described("Nothing can predict any of these rows"),
    413: _described("The request is too large"),
    415: _described("It is no JSON"),
    **BUSY,
}
