"""The server keeps what /openapi.json says, whatever schemathesis makes up."""

import asyncio

import httpx
import schemathesis
import schemathesis.specs.openapi.checks as openapi_checks
from hypothesis import HealthCheck, Phase, settings
from jsonschema_rs import validator_for

from longloom.serving.app import make_app
from scripted_server import make_service

app = make_app(make_service(max_waiting=10))
schema = schemathesis.openapi.from_asgi("/openapi.json", app)
# Fields say what every backend may be asked; one in this process refuses forms and forced calls.
REFUSED_FOR_A_REASON = [openapi_checks.positive_data_acceptance]


@schema.parametrize()
@settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_answers_keep_to_their_description(case: schemathesis.Case) -> None:
    case.call_and_validate(excluded_checks=REFUSED_FOR_A_REASON)


def test_requests_and_errors_are_described() -> None:
    async def run() -> dict:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return (await client.get("/openapi.json")).json()

    described = asyncio.run(run())
    assert set(described["paths"]) == {
        "/health", "/metrics", "/tokenize", "/v1/chat/completions", "/v1/models",
        "/v1/models/{model_id}",
    }  # fmt: skip
    chat = described["paths"]["/v1/chat/completions"]["post"]
    body = chat["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    fields = described["components"]["schemas"][body.rpartition("/")[2]]["properties"]
    assert {"messages", "longloom", "stream", "stop"} <= set(fields)
    assert "text/event-stream" in chat["responses"]["200"]["content"]
    for status in ("400", "401", "413", "429", "503"):
        content = chat["responses"][status]["content"]["application/json"]
        assert content["schema"]["$ref"].endswith("/ErrorBody")


def test_our_extension_of_requests_is_described() -> None:
    chat = app.openapi()["paths"]["/v1/chat/completions"]["post"]
    assert chat["parameters"][0]["schema"]["enum"] == ["auto", "never"]
    schemas = app.openapi()["components"]["schemas"]
    ours = schemas["ReadingOptions"]
    assert set(ours["properties"]) == {"document", "documents", "question", "read", "progress"}
    assert all("description" in field for field in ours["properties"].values())
    assert set(schemas["ReadDocument"]["properties"]) == {"name", "text"}
    described = validator_for({**ours, "components": {"schemas": schemas}})
    text, named = "a text", {"name": "b.txt", "text": "b"}
    for extension, is_valid in (
        ({"document": text, "question": "what?"}, True),
        ({"documents": [text, named, {"text": text}], "document": None}, True),
        ({"documents": None, "document": None, "question": None}, True),
        ({"document": text, "documents": [text]}, False),
        ({"documents": []}, False),
        ({"documents": [{"name": "b.txt"}]}, False),
        ({"document": 5}, False),
    ):
        assert described.is_valid(extension) == is_valid, extension
        body = {"messages": [{"role": "user", "content": "what?"}], "longloom": extension}

        async def post(body: dict = body) -> int:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return (await client.post("/v1/chat/completions", json=body)).status_code

        assert asyncio.run(post()) == (200 if is_valid else 400), extension
