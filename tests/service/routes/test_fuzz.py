"""Whatever is sent, the reply is a documented one in the documented shape, and never a fault of ours.

Requests are made from `/openapi.json`, so that a new route is among them. `FUZZ` in the environment says how many.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.config import read_collections
from ingestion.embed import Embedder
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from service.app import create_app
from service.schemas import ErrorReply
from service.settings import Settings
from tests.conftest import PATIENT, SCOPE, serving

MANY = int(os.environ.get("FUZZ", "10000"))  # noqa: TID251
CLEARANCE = {"supplier": "tests", "licence": "internal", "legal_basis": "legitimate_interests"}
JSON = {"content-type": "application/json"}
# The two that go to a generator say so when there is none.
FORWARDED = ("/v1/completions", "/tokenize")


@pytest.fixture(scope="module")
def api(
    embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
    """A gateway over one document, and what it says of itself."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    raw = yaml.safe_load(SCOPE.read_text())
    raw["collections"] = {"help": {"sources": ["pages"], "clearance": CLEARANCE, "pii": {"names": "none"}}}
    raw["guards"] = PATIENT
    (folder / "scope.yaml").write_text(yaml.safe_dump(raw))
    (folder / "pages").mkdir()
    (folder / "pages" / "a.md").write_text("# Hours\n\nWe open at nine.")
    run(
        Collection("help", read_collections(folder / "scope.yaml")["help"], embedder, folder / "data", folder)
    )
    chosen = Settings(
        _env_file=None,  # type: ignore[call-arg]
        scope_file=folder / "scope.yaml",
        data_dir=folder / "data",
        database_url=f"sqlite:///{folder / 'db'}",  # type: ignore[arg-type]
        embed_threads=1,
        log_level="error",
    )
    with serving(create_app(chosen)) as url, httpx.Client(base_url=url, timeout=120) as client:
        yield client, client.get("/openapi.json").json()


def check(reply: httpx.Response, operation: dict[str, Any], said: str) -> None:
    status = reply.status_code
    path = reply.request.url.path
    if status != 404 or "404" in operation["responses"] or path.startswith("/v1"):
        assert str(status) in {*operation["responses"], "404", "405"}, f"{said}: {status} {reply.text[:300]}"
    assert status < 500 or (status == 502 and path in FORWARDED), f"{said}: {status} {reply.text[:300]}"
    if status >= 400:
        ErrorReply.model_validate(reply.json())
        assert len(reply.text) < 2_000, f"{said}: a long message"


# Values of a kind that the schema asks for, and of any other.

ODD: list[Any] = [
    None, True, 0, -1, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, "", " ", "\x00", "a\u0000b", "\ud800", "\udfff x",
    "x" * 9_000, "❄" * 400, "../../etc/passwd", "' or 1=1 --", "{}", [], [[]], [None], {}, {"": {}}, {"a": [{"b": None}]},
    ["a", 1, None], "\u202e\u2066", "\U000e0041", "-" * 300, "1e999", "NaN", [0] * 1_000, {str(i): i for i in range(300)},
]  # fmt: skip


def strategy(schema: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, most of the time."""
    return st.one_of(
        _fitting(schema, whole), _fitting(schema, whole), _fitting(schema, whole), st.sampled_from(ODD)
    )


def _fitting(schema: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _fitting(_named(schema, whole), whole)
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    if "anyOf" in schema:
        return st.one_of([_fitting(one, whole) for one in schema["anyOf"]])
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, whole)
    if kind == "array":
        return st.lists(strategy(schema.get("items", {}), whole), max_size=3)
    return _SCALARS.get(kind or "", st.sampled_from(ODD))


_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(max_size=60),
    "integer": st.integers(-10, 100),
    "number": st.floats(-1, 3),
    "boolean": st.booleans(),
    "null": st.none(),
}


def _named(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    name = str(schema["$ref"]).rpartition("/")[2]
    found: dict[str, Any] = whole.get("$defs", {}).get(name) or whole["components"]["schemas"][name]
    return found


def _object(schema: dict[str, Any], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = {name: strategy(one, whole) for name, one in schema.get("properties", {}).items()}
    needed = {name: fields.pop(name) for name in schema.get("required", ()) if name in fields}
    known = st.fixed_dictionaries(needed, optional=fields)
    if fields or needed:
        return known
    return st.dictionaries(st.text(max_size=9), st.sampled_from(ODD), max_size=3)


def body_of(operation: dict[str, Any], whole: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    content = operation.get("requestBody", {}).get("content", {})
    return next(iter(content.items()), None)


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@st.composite
def requests(draw: st.DrawFn, whole: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An operation and the arguments of a request for it."""
    path = draw(st.sampled_from(sorted(whole["paths"])))
    method = draw(st.sampled_from(sorted(whole["paths"][path])))
    operation = whole["paths"][path][method]
    query = {}
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            value = draw(st.one_of(st.just("a.md"), st.text(min_size=1, max_size=40)))
            path = path.replace(f"{{{one['name']}}}", quote(value.encode("utf-8", "replace"), safe=""))
        elif one["in"] == "query" and (one.get("required") or draw(st.booleans())):
            query[one["name"]] = draw(
                st.one_of(st.just("help"), st.just('{"id": "a.md"}'), st.text(max_size=40))
            )
    asked: dict[str, Any] = {"method": method, "url": path, "params": query}
    found = body_of(operation, whole)
    if found is not None and found[0] == "multipart/form-data":
        name, data = (
            draw(st.sampled_from(["a.md", "b.txt", "c.csv", "", "x", "../y.md"])),
            draw(st.binary(max_size=99)),
        )
        asked |= {
            "files": {"file": (name, data)},
            "data": {"metadata": draw(st.sampled_from(['{"a": 1}', "{", "[]"]))},
        }
    elif found is not None:
        schema = found[1]["schema"]
        asked |= {"content": dumped(draw(strategy(schema, {**whole, **schema}))), "headers": JSON}
    elif method in ("post", "put"):
        body = st.fixed_dictionaries(
            {"prompt": st.sampled_from(ODD)}, optional={"model": st.sampled_from(ODD)}
        )
        asked |= {"content": dumped(draw(body)), "headers": JSON}
    return operation, asked


def fuzz(api: tuple[httpx.Client, dict[str, Any]], examples: int) -> None:
    client, whole = api

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(whole))
    def each(asked: tuple[dict[str, Any], dict[str, Any]]) -> None:
        operation, request = asked
        check(client.request(**request), operation, str(request)[:600])

    each()


def test_requests_made_from_the_description_get_documented_replies(
    api: tuple[httpx.Client, dict[str, Any]],
) -> None:
    fuzz(api, 300)


@pytest.mark.slow
def test_ten_thousand_requests_get_documented_replies(api: tuple[httpx.Client, dict[str, Any]]) -> None:
    fuzz(api, MANY)


# Texts that are no JSON, or JSON at its edges.

BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "support",
        "messages": [{"role": "user", "content": "Hi?"}],
        "rag": {"dry_run": True},
    },
    "/v1/search": {
        "query": "hours",
        "collection": "help",
        "filter": {"id": "a.md"},
        "top_k": 3,
        "mode": "hybrid",
    },
    "/v1/feedback": {
        "answer_id": "0" * 36,
        "conversation_id": None,
        "token": "1.x",
        "kind": "thumb",
        "value": "up",
        "reasons": ["wrong"],
        "comment": "x",
        "target": "answer",
        "consent": "none",
        "user": "u",
        "actor_kind": "end_user",
        "observed_at": "2026-01-01T00:00:00Z",
    },
    "/v1/completions": {"model": "support", "prompt": "x"},
    "/tokenize": {"model": "support", "prompt": "x"},
    "/v1/documents/form": {
        "text": "# A\n\nText.",
        "title": "T",
        "groups": [],
        "metadata": {"a": 1},
        "updated": "2026-01-01",
    },
}
EDGES: list[bytes] = [
    b"", b" ", b"null", b"true", b"0", b'""', b"[]", b"{}", b"{", b"}", b"[", b'{"a"', b'{"a":', b"{'a': 1}", b'{"a": 01}',
    b"NaN", b"Infinity", b'{"query": NaN}', b'{"query": Infinity}', b'{"query": 1e999}', b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00",
    b"\x80", b'{"query": "\xed\xa0\x80"}', b'{"query": "\\ud800"}', b'{"\\ud800": 1}', b'{"query": "\\u0000"}', b'{"query": "a\x00"}',
    b"[" * 100, b"[" * 100_000, b"[" * 900 + b"]" * 900, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900,
    b'{"a":' * 40_000 + b"1" + b"}" * 40_000, b"1" * 4_000, b"1" * 5_000, b'{"query": ' + b"9" * 5_000 + b"}", b"-", b"1e", b"//",
    b'{"query": "x", "query": "y"}', b'{"query": "' + b"x" * 240_000 + b'"}', b"[" + b"0," * 100_000 + b"0]", b"\x00" * 99,
]  # fmt: skip


def edges() -> list[tuple[str, bytes]]:
    """Every edge for every route, and every odd value in every field of its body, one level down too."""
    found = [(path, edge) for path in BODIES for edge in EDGES]
    for path, body in BODIES.items():
        for name, value in body.items():
            found += [(path, dumped({**body, name: odd})) for odd in ODD]
            if isinstance(value, dict):
                found += [(path, dumped({**body, name: {**value, key: odd}})) for key in value for odd in ODD]
    for depth in (9, 90, 900):
        nested: Any = {"id": "a.md"}
        for _ in range(depth):
            nested = {"not": nested}
        found += [
            ("/v1/search", dumped({**BODIES["/v1/search"], "filter": nested})),
            ("/v1/chat/completions", dumped({**BODIES["/v1/chat/completions"], "rag": {"filter": nested}})),
        ]
    return found


@pytest.mark.slow
def test_bodies_at_the_edges_of_json_get_documented_replies(api: tuple[httpx.Client, dict[str, Any]]) -> None:
    client, whole = api
    forms = edges()
    assert len(forms) > 131
    wrong = []
    for path, body in forms:
        method = "put" if "documents" in path else "post"
        described = "/v1/documents/{document_id}" if method == "put" else path
        reply = client.request(method, path, content=body, headers=JSON)
        try:
            check(reply, whole["paths"][described][method], f"{method} {path} {body[:200]!r}")
        except (AssertionError, ValueError) as exc:
            wrong.append(str(exc)[:500])
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"a":' * 40_000 + "1" + "}" * 40_000,
        '{"id": 1e999}',
        '{"id": "\\ud800"}',
        '{"\\ud800": 1}',
        "9" * 5_000,
    ],
)
def test_json_in_queries_and_forms_is_read_with_the_same_care(
    api: tuple[httpx.Client, dict[str, Any]], text: str
) -> None:
    client, whole = api
    documents = whole["paths"]["/v1/documents"]
    form = client.post("/v1/documents", files={"file": ("f.md", b"# F\n\nText.")}, data={"metadata": text})
    check(form, documents["post"], f"form {text[:60]}")
    if len(text) < 50_000:
        for method in ("get", "delete"):
            reply = client.request(method, "/v1/documents", params={"filter": text})
            check(reply, documents[method], f"{method} {text[:60]}")
