"""The addresses of the server, their OpenAPI description, and who is let in."""

import asyncio
import ipaddress
import time
import uuid
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longloom import __version__
from longloom.errors import LongloomError
from longloom.serving.receiving import parsed_body, received_body
from longloom.serving.refusals import BUG, Refusal, RefusedError, refusal_of, refused
from longloom.serving.sending import ChatResponse, Stopping, log_bug
from longloom.serving.service import CallOptions, Service, check_model
from longloom.serving.wire import ChatCompletionRequest, TokenizeRequest, text_of
from longloom.serving.wire_replies import (
    ChatCompletion,
    ErrorBody,
    Health,
    ModelCard,
    ModelList,
    TokenCount,
)

_OPEN_PATHS = ("/health", "/openapi.json")
"""Answered without a key: they say nothing of anybody."""
_LOCAL_HOSTS = ("localhost", "testserver")
_EVENT = {
    "type": "object",
    "properties": {
        "data": {"type": "string", "description": "A `chat.completion.chunk`, or `[DONE]`."}
    },
    "required": ["data"],
}
"""One event of a stream."""
_READ_HEADER = {
    "name": "X-Longloom-Read",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "enum": ["auto", "never"]},
    "description": "Goes before the field `longloom.read`.",
}
_COMPONENTS = "#/components/schemas/{model}"


def make_app(service: Service, *, is_local: bool = False) -> FastAPI:
    """Return the application.

    Args:
        service: answers.
        is_local: whether only this machine can reach the server; then requests that were sent to
            another host's name are refused, as web pages could send them.
    """
    app = FastAPI(
        title="longloom",
        version=__version__,
        description="An OpenAI-compatible server that reads what does not fit the window.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.state.stopping = Stopping()
    app.state.created = int(time.time())
    app.add_middleware(_Entrance, service=service, is_local=is_local)
    app.add_exception_handler(HTTPException, _refuse_http)
    app.add_exception_handler(RequestValidationError, _refuse_fields)
    app.add_exception_handler(LongloomError, _refuse_error)
    _add_chat(app, service)
    _add_models(app, service)
    _add_figures(app, service)
    _describe_requests(app)
    return app


def _add_chat(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/chat/completions",
        response_model=ChatCompletion,
        responses={
            200: {"content": {"text/event-stream": {"schema": _EVENT}}},
            **_errors(400, 404, 408, 413, 415, 429, 500, 502, 503, 504),
        },
        openapi_extra={**_body_of("ChatCompletionRequest"), "parameters": [_READ_HEADER]},
        summary="Answer a chat",
    )
    async def chat_completions(request: Request) -> Response:
        """Answer a chat; one that exceeds the window is read section by section.

        The header `X-Longloom-Read: never`, or `{"longloom": {"read": "never"}}`, refuses it.
        """
        options = CallOptions(
            holder=request.state.holder,
            read_header=request.headers.get("x-longloom-read"),
        )
        return ChatResponse(request, service, app.state.stopping, options)

    @app.post(
        "/tokenize",
        response_model=TokenCount,
        responses=_errors(400, 404, 408, 413, 415, 429, 502),
        openapi_extra=_body_of("TokenizeRequest"),
        summary="Count tokens",
    )
    async def tokenize(request: Request) -> Response:
        """Count the tokens of a text or of a chat."""
        service.quotas.begin(request.state.holder)
        async with received_body(request, service.config, service.held_bytes) as body:
            wanted, _ = await parsed_body(TokenizeRequest, body)
            check_model(wanted.model, service.backend.name)
            if (wanted.prompt is None) == (wanted.messages is None):
                raise refused(400, "expected one of prompt and messages", param="prompt")
            messages = [
                {"role": message.role, "content": text_of(message)}
                for message in wanted.messages or []
            ]
            count, token_ids = await service.backend.tokenize(wanted.prompt, messages)
        service.quotas.spend(request.state.holder, count)
        counted = TokenCount(
            count=count,
            is_exact=token_ids is not None or service.backend.chat.tokens.is_exact,
            max_model_len=service.config.max_document_tokens,
            tokens=token_ids,
        )
        # Millions of tokens would be checked and written for long if the framework did it.
        content = await asyncio.to_thread(counted.model_dump_json)
        return Response(content, media_type="application/json")


def _add_models(app: FastAPI, service: Service) -> None:
    def card() -> ModelCard:
        return ModelCard(
            id=service.backend.name,
            created=app.state.created,
            max_model_len=max(service.config.max_document_tokens, service.window_tokens),
            window_tokens=service.window_tokens,
        )

    @app.get("/v1/models", responses=_errors(), summary="List models")
    async def models() -> ModelList:
        """List the model that is served."""
        return ModelList(data=[card()])

    @app.get("/v1/models/{model_id:path}", responses=_errors(404), summary="Look a model up")
    async def model(model_id: str) -> ModelCard:
        """Describe the model that is served."""
        check_model(model_id or "?", service.backend.name)
        return card()


def _add_figures(app: FastAPI, service: Service) -> None:
    @app.get("/health", summary="Whether requests are taken")
    async def health() -> Health:
        """Say that the server runs."""
        is_stopping = app.state.stopping.has_begun
        return Health(status="stopping" if is_stopping else "ok", model=service.backend.name)

    @app.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses=_errors(),
        summary="Counters for Prometheus",
    )
    async def metrics() -> PlainTextResponse:
        """Count what the server has done."""
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return PlainTextResponse(service.metrics.text(service.gauges()), media_type=kind)


class _Entrance:
    """Names requests, and lets in whoever has a key."""

    def __init__(self, app: ASGIApp, *, service: Service, is_local: bool) -> None:
        self._app = app
        self._service = service
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req-{uuid.uuid4().hex}"
        headers = dict(scope["headers"])
        has_begun = False

        async def named_send(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                named = (b"x-request-id", request_id.encode())
                message = {**message, "headers": [*message.get("headers", ()), named]}
            await send(message)

        try:
            self._check_host(headers.get(b"host", b"").decode("latin-1"))
            holder = ""
            if scope["path"] not in _OPEN_PATHS:
                authorization = headers.get(b"authorization", b"").decode("latin-1")
                holder = self._service.keys.holder(authorization)
        except RefusedError as error:
            await _response(error.refusal)(scope, receive, named_send)
            return
        scope.setdefault("state", {}).update(request_id=request_id, holder=holder)
        try:
            await self._app(scope, receive, named_send)
        except ClientDisconnect:
            return
        except Exception as error:  # the boundary to the web server, which would log its message
            log_bug(request_id, error)
            if not has_begun:
                await _response(BUG)(scope, receive, named_send)

    def _check_host(self, host: str) -> None:
        """Refuse names of elsewhere that were made to point here (DNS rebinding)."""
        if not self._is_local or self._service.keys:
            return
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        name = name.strip("[]").lower()
        if name in _LOCAL_HOSTS or not name:
            return
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise refused(
                403,
                f"the request was sent to host {name[:100]!r}; expected localhost or an address, "
                "as this server has no API key; set one to be reached by other names",
                code="foreign_host",
            ) from None


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    messages = {
        404: f"no such address: {request.url.path[:200]}",
        405: f"method {request.method[:20]} is not for this address",
    }
    message = messages.get(error.status_code, str(error.detail))
    response = _response(Refusal(status=error.status_code, message=message, code="not_found"))
    response.headers.update(error.headers or {})
    return response


async def _refuse_fields(request: Request, error: Exception) -> Response:
    return _response(Refusal(status=400, message="a field of the address is malformed"))


async def _refuse_error(request: Request, error: Exception) -> Response:
    refusal = refusal_of(error)
    assert refusal is not None
    return _response(refusal)


def _response(refusal: Refusal) -> JSONResponse:
    return JSONResponse(refusal.body, status_code=refusal.status, headers=refusal.headers)


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorBody} for status in sorted({401, 403, *statuses})}


def _body_of(name: str) -> dict[str, Any]:
    schema = {"$ref": _COMPONENTS.format(model=name)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _describe_requests(app: FastAPI) -> None:
    """Add the bodies of requests, which are parsed by hand, to the description."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        is_new = app.openapi_schema is None
        schema = describe()
        if is_new:
            known = schema.setdefault("components", {}).setdefault("schemas", {})
            for request_class in (ChatCompletionRequest, TokenizeRequest):
                found = request_class.model_json_schema(ref_template=_COMPONENTS)
                known |= found.pop("$defs", {})
                known[request_class.__name__] = found
        return schema

    app.openapi = described  # type: ignore[method-assign]
