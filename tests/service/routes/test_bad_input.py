"""Bad input gets a typed error that names the value, and does no harm."""

import json
import re
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from service.auth import create_key
from service.database import open_database
from service.settings import Settings
from tests.conftest import Gateway, StartGateway, wait_until

CHAT, SEARCH, FEEDBACK = "/v1/chat/completions", "/v1/search", "/v1/feedback"

USER = [{"role": "user", "content": "Hello there?"}]


BAD: list[tuple[str, str, object, int, str, str]] = [
    ("POST", CHAT, b"{not json", 400, "invalid_request", "not valid JSON"),
    ("POST", CHAT, b"", 400, "invalid_request", "body"),
    ("POST", CHAT, b"[1]", 400, "invalid_request", "body"),
    ("POST", CHAT, b"\xff\xfe{}", 400, "invalid_request", ""),
    ("POST", CHAT, {"model": "gpt-9", "messages": USER}, 404, "model_not_found", "'gpt-9'"),
    ("POST", CHAT, {"messages": USER}, 400, "invalid_request", "'model'"),
    ("POST", CHAT, {"model": "support", "messages": []}, 400, "invalid_request", "messages"),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": [{"role": "user", "content": " \n"}]},
        400,
        "invalid_request",
        "empty",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": [{"role": "assistant", "content": "x"}]},
        400,
        "invalid_request",
        "'user'",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": [{"role": "boss", "content": "x"}]},
        400,
        "invalid_request",
        "'boss'",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": USER, "rag": {"topk": 3}},
        400,
        "invalid_request",
        "rag.topk",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": USER, "rag": {"top_k": 0}},
        400,
        "invalid_request",
        "rag.top_k",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": USER, "rag": {"variant": "nope"}},
        400,
        "invalid_request",
        "'nope'",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": USER, "temperature": 9},
        400,
        "invalid_request",
        "temperature",
    ),
    ("POST", CHAT, {"model": "support", "messages": USER, "n": 5}, 400, "invalid_request", "'n'"),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": [{"role": "user", "content": "why " * 5_000}]},
        400,
        "invalid_request",
        "8000",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": [{"role": "user", "content": "x" * 1_048_576}]},
        413,
        "request_too_large",
        "262144",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        400,
        "invalid_request",
        "messages.0.content.0",
    ),
    (
        "POST",
        CHAT,
        {"model": "support", "messages": [{"role": "user", "content": 5}]},
        400,
        "invalid_request",
        "'messages.0.content' is 5",
    ),
    ("GET", CHAT, None, 405, "method_not_allowed", "POST"),
    ("DELETE", SEARCH, None, 405, "method_not_allowed", "POST"),
    ("POST", SEARCH, {"query": " "}, 400, "invalid_request", "empty"),
    ("POST", SEARCH, {"query": "x", "mode": "magic"}, 400, "invalid_request", "'magic'"),
    ("POST", SEARCH, {"query": "x", "collection": "nope"}, 400, "invalid_request", "'nope'"),
    ("POST", SEARCH, {"query": "x" * 8_001}, 400, "invalid_request", "8000"),
    ("POST", SEARCH, {"query": "x", "filter": {"a": ["v"] * 1_001}}, 400, "invalid_request", "1000"),
    ("POST", SEARCH, {"query": "x", "filter": {"f" * 101: 1}}, 400, "invalid_request", "100"),
    ("GET", "/v1/chunks/" + "c" * 201, None, 400, "invalid_request", "200 characters"),
    ("GET", "/v1/chunks/none", None, 404, "not_found", "'none'"),
    ("GET", "/v1/nothing", None, 404, "not_found", "'/v1/nothing'"),
    ("POST", "/v1/completions", {"model": "gpt-9", "prompt": "x"}, 404, "model_not_found", "'gpt-9'"),
    ("POST", "/v1/completions", b"{", 400, "invalid_request", "not valid JSON"),
    ("POST", "/v1/completions", {"model": [], "prompt": "x"}, 400, "invalid_request", "[]"),
    ("POST", "/v1/completions", {"model": {"a": 1}, "prompt": "x"}, 400, "invalid_request", "'a'"),
    (
        "POST",
        "/v1/completions",
        {"model": "support", "prompt": "x", "chat_template": "x"},
        400,
        "invalid_request",
        "chat_template",
    ),
    (
        "POST",
        "/v1/completions",
        {"model": "support", "prompt": "x", "guided_json": {}},
        400,
        "invalid_request",
        "guided_json",
    ),
    (
        "POST",
        "/v1/completions",
        {"model": "support", "prompt": "x", "input": "x"},
        400,
        "invalid_request",
        "input",
    ),
    (
        "POST",
        "/v1/completions",
        {"model": "support", "prompt": "x", "text": "x"},
        400,
        "invalid_request",
        "text",
    ),
    (
        "POST",
        "/v1/completions",
        {"model": "support", "prompt": "x", "best_of": 20},
        400,
        "invalid_request",
        "best_of",
    ),
    ("POST", "/v1/completions", {"model": "support", "prompt": "x", "n": 9}, 400, "invalid_request", "'n'"),
    (
        "POST",
        "/v1/completions",
        {"model": "support", "prompt": "x", "max_tokens": 8193},
        400,
        "invalid_request",
        "max_tokens",
    ),
    (
        "POST",
        "/v1/completions",
        {"model": "support", "prompt": "x", "stop": ["x"] * 17},
        400,
        "invalid_request",
        "stop",
    ),
    ("POST", "/v1/completions", {"prompt": "x" * 64_001}, 400, "invalid_request", "64000"),
    ("POST", "/v1/completions", {"prompt": ["x"] * 129}, 400, "invalid_request", "128"),
    ("POST", "/tokenize", {"prompt": "x", "messages": USER}, 400, "invalid_request", "messages"),
    ("POST", "/tokenize", {"model": 7, "prompt": "x"}, 400, "invalid_request", "7"),
    (
        "POST",
        "/v1/completions",
        {"model": "support", "prompt": "x"},
        502,
        "generator_failed",
        "TOUCHSTONE_GENERATOR_URL",
    ),
    (
        "POST",
        FEEDBACK,
        {"answer_id": "x", "kind": "thumb", "value": "up"},
        400,
        "invalid_request",
        "answer_id",
    ),
    (
        "POST",
        FEEDBACK,
        {"answer_id": "0" * 36, "kind": "thumb", "value": "sideways"},
        400,
        "invalid_request",
        "'sideways'",
    ),
    (
        "POST",
        FEEDBACK,
        {"answer_id": "0" * 36, "token": "1.x", "kind": "thumb", "value": "up"},
        403,
        "insufficient_scope",
        "token",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code", "names"), BAD)
def test_bad_input_gets_a_typed_error_that_names_the_value(
    gateway: Gateway, method: str, path: str, body: object, status: int, code: str, names: str
) -> None:
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    with gateway.client() as client:
        reply = client.request(method, path, content=data, headers={"content-type": "application/json"})
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "code", "param", "request_id"}
    assert error["request_id"] == reply.headers["x-request-id"]
    assert names in f"{error['message']} {error['param']}"
    assert len(error["message"]) < 500
    assert "Traceback" not in reply.text
    assert "function-" not in reply.text, "no name of the program's own"


@pytest.mark.parametrize(
    "text", ["How many recovery\x00 codes do I get?", "\U000e0041 recovery codes? \u202e"]
)
def test_strange_characters_do_no_harm(gateway: Gateway, text: str) -> None:
    assert gateway.ask(text).status_code == 200


def test_half_a_character_is_refused(gateway: Gateway) -> None:
    with gateway.client() as client:
        body = b'{"model": "support", "messages": [{"role": "user", "content": "half \\ud800"}]}'
        reply = client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_request")


def test_an_undeclared_large_body_is_refused_too(gateway: Gateway) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"model": "support", "messages": [{"role": "user", "content": "'
        for _ in range(80):
            yield b"x" * 8_192

    with gateway.client() as client:
        reply = client.post(CHAT, content=chunks(), headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "request_too_large")


def test_wrong_media_types_are_refused(gateway: Gateway) -> None:
    with gateway.client() as client:
        reply = client.post(CHAT, content=b'{"model": "support"}', headers={"content-type": "text/plain"})
    assert 400 <= reply.status_code < 500
    assert reply.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_keys_no_foreign_page_reaches_the_service(
    gateway: Gateway, headers: dict[str, str], method: str
) -> None:
    with gateway.client() as client:
        reply = client.request(method, "/v1/models", headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_without_keys_a_form_of_another_page_is_refused_where_it_names_no_origin(
    gateway: Gateway, site: str
) -> None:
    with gateway.client(headers={"sec-fetch-site": site}) as client:
        assert client.post("/v1/documents", files={"file": ("a.md", b"A.")}).status_code == 403
        assert client.get("/docs").status_code == 200, "a link may be followed"


def test_without_keys_the_own_page_may_call(gateway: Gateway) -> None:
    port = gateway.url.rpartition(":")[2]
    for name in ("127.0.0.1", "localhost"):
        own = {"host": f"{name}:{port}", "origin": f"http://{name}:{port}", "sec-fetch-site": "same-origin"}
        with gateway.client(headers=own) as client:
            assert client.post(SEARCH, json={"query": "codes"}).status_code == 200


def test_pages_of_allowed_origins_may_call_with_a_key_and_others_get_no_leave(
    start_gateway: StartGateway,
) -> None:
    own, foreign = "https://www.larkmoor.example", "https://evil.example"
    with start_gateway(allowed_origins=f"{own}, http://localhost:3000") as gateway:
        engine = open_database(gateway.settings.database())
        key = create_key(engine, "page", ["answer"])
        engine.dispose()
        with gateway.client() as client:
            wait_until(lambda: client.get("/v1/models").status_code == 401)
            ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
            leave = client.options(CHAT, headers={"origin": own, **ask})
            assert (leave.status_code, leave.headers["access-control-allow-origin"]) == (200, own)
            assert "authorization" in leave.headers["access-control-allow-headers"].lower()
            bearer = {"authorization": f"Bearer {key}"}
            reply = client.get("/v1/models", headers={"origin": own, **bearer})
            assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, own)
            refused = client.options(CHAT, headers={"origin": foreign, **ask})
            assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (400, False)


@pytest.mark.parametrize(
    "wrong", ["*", "www.example.com", "https://a.example/path", "null", "https://a.example;b"]
)
def test_an_allowed_origin_is_scheme_host_and_port(wrong: str) -> None:
    with pytest.raises(ValidationError, match="allowed_origins"):
        Settings(_env_file=None, allowed_origins=wrong)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/livez", "/metrics", "/v1/models", "/v1/nothing"]
)
def test_every_reply_is_taken_for_what_it_says_it_is(gateway: Gateway, path: str) -> None:
    with gateway.client() as client:
        assert client.get(path).headers.get_list("x-content-type-options") == ["nosniff"]


def test_the_page_asks_below_where_it_was_found(gateway: Gateway) -> None:
    with gateway.client() as client:
        for path in ("/", "/docs", "/page/app.js", "/page/docs.js"):
            text = client.get(path).text
            found = re.findall(r"""(?:href|src|fetch\(|from)[=\s]*["'`]([^"'`]+)""", text)
            assert found, path
            assert [one for one in found if one.startswith("/")] == []
