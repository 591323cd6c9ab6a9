"""A real instruct model in a real vLLM (`make vllm`): what it writes leaves cited, clean, or not at all, to any client."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, InternalServerError, OpenAI
from pydantic import BaseModel

from evals.bench.servers import PEERS, peer_environment
from evals.case import load_cases
from ingestion.text.sentences import sentence_spans
from service.app import create_app
from service.settings import Settings
from tests.conftest import ROOT, Demo, Gateway, StartGateway, serving
from tests.service.answer.test_vllm import VENV, Vllm
from tests.service.conftest import stream_of, text_of
from tests.service.tools import arguments_of, tool_scope
from tests.service.tools import asked as asked_with_tools

pytestmark = pytest.mark.vllm
LEAK = re.compile(r"</?passage|passage-[0-9a-f]{4}|<\|\w+\|>|</?think|ref-[a-p]{20}")


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    if not (VENV / "installed").is_file() or not (ROOT / "var/smollm2/config.json").is_file():
        pytest.skip("the model is not there: run `deploy/vllm/serve install`")
    tools = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    server = Vllm(tmp_path_factory.mktemp("vllm") / "vllm.log", "smollm2", tools)
    server.start()
    yield server
    server.kill()


def check(text: str, rag: dict[str, object]) -> None:
    """What holds of every answer of a model."""
    assert not LEAK.search(text + str(rag))
    if rag["outcome"] != "answered":
        return
    assert rag["citations"], text
    sentences = rag["sentences"]
    assert isinstance(sentences, list)
    for sentence in sentences:
        assert (sentence["cited_by"] in ("model", "service")) == bool(sentence["citations"])
        assert sentence["supported"] == bool(sentence["citations"])
    # A sentence is said once.
    said = [text[start:end] for start, end in sentence_spans(text)]
    assert len(said) == len(set(said))


def asked(gateway: Gateway, question: str) -> tuple[str, dict[str, object]]:
    """An answer as a stream."""
    events = stream_of(gateway.ask(question, stream=True, temperature=0))
    return text_of(events), next(event["rag"] for event in reversed(events) if "rag" in event)  # type: ignore[misc,return-value]


def test_a_real_model_answers_with_citations_and_leaks_nothing(
    start_gateway: StartGateway, vllm: Vllm
) -> None:
    cases = [case for case in load_cases() if case.language == "en"][::8]
    with start_gateway(generator_url=vllm.url, generator_first_token_timeout_s=120) as gateway:
        answers = [asked(gateway, case.question) for case in cases]
        whole = gateway.ask(cases[0].question, temperature=0).json()
    for text, rag in answers:
        check(text, rag)
    check(whole["choices"][0]["message"]["content"], whole["rag"])
    outcomes = [rag["outcome"] for _, rag in answers]
    assert outcomes.count("answered") > len(outcomes) / 2
    assert any(rag["outcome"] == "answered" and not rag["degraded"] for _, rag in answers), "the model wrote"


EXPRESS = "What does express delivery cost?"
ASKED = [{"role": "user", "content": EXPRESS}]
# Whoever writes it, the model or the documents.
COSTS = re.compile(r"9\.90.*\[1\]", re.DOTALL)


class Price(BaseModel):
    """What something costs."""

    price: str


@pytest.fixture(scope="module")
def served(
    vllm: Vllm, demo: Demo, patient_scope: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A gateway before the model, for all clients."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        scope_file=patient_scope,
        data_dir=demo.data_dir,
        database_url=f"sqlite:///{tmp_path_factory.mktemp('clients') / 'gateway.db'}",  # type: ignore[arg-type]
        generator_url=vllm.url,  # type: ignore[arg-type]
        generator_first_token_timeout_s=120,
    )
    with serving(create_app(settings)) as url:
        yield f"{url}/v1"


def test_openais_client_whole_streamed_and_structured(served: str) -> None:
    with OpenAI(base_url=served, api_key="none", max_retries=0) as client:
        whole = client.chat.completions.create(model="support", messages=ASKED, temperature=0)  # type: ignore[call-overload]
        assert COSTS.search(whole.choices[0].message.content)
        chunks = client.chat.completions.create(model="support", messages=ASKED, temperature=0, stream=True)  # type: ignore[call-overload]
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert COSTS.search(said)
        message = price_from(client)
        # A small model may write a price that no passage has, which a guard takes out.
        assert isinstance(message.parsed, Price) or message.refusal
        assert client.responses.create(model="support", input=EXPRESS, temperature=0).output_text


def price_from(client: OpenAI) -> Any:
    """A small model may write on until its tokens are spent, which is an error by its name; at another temperature it ends."""
    for temperature in (0, 0.4, 0.8):
        try:
            parsed = client.chat.completions.parse(
                model="support",
                messages=ASKED,  # type: ignore[arg-type]
                response_format=Price,
                temperature=temperature,
            )
        except InternalServerError as exc:
            if "wrote no JSON" not in str(exc):
                raise
        else:
            return parsed.choices[0].message
    raise AssertionError("the model never ended its JSON")


async def test_openais_client_without_blocking(served: str) -> None:
    async with AsyncOpenAI(base_url=served, api_key="none", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="support", messages=ASKED, temperature=0, stream=True
        )  # type: ignore[call-overload]
        said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert COSTS.search(said)


@pytest.mark.filterwarnings("ignore")
def test_langchains_client(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    chain = ChatOpenAI(model="support", base_url=served, api_key="none", max_retries=0, temperature=0)  # type: ignore[arg-type]
    assert COSTS.search(str(chain.invoke(EXPRESS).content))
    assert COSTS.search("".join(str(chunk.content) for chunk in chain.stream(EXPRESS)))
    structured = chain.with_structured_output(Price, method="json_schema", include_raw=True)
    found = structured.invoke(EXPRESS)
    assert isinstance(found["parsed"], Price) or found["raw"].additional_kwargs["refusal"]  # type: ignore[index,call-overload]


QUOTE = {
    "type": "function",
    "function": {
        "name": "price_quote",
        "description": "Tells the price of a delivery.",
        # vLLM writes arguments by the schema only for a function that is `strict`.
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"service": {"type": "string", "enum": ["express", "standard"]}},
            "required": ["service"],
            "additionalProperties": False,
        },
    },
}


def test_a_forced_call_fits_its_schema_and_its_result_is_answered_from(
    start_gateway: StartGateway, vllm: Vllm, tmp_path: Path
) -> None:
    named = {"type": "function", "function": {"name": "price_quote"}}
    scope = tool_scope(tmp_path, ["price_*"])
    with start_gateway(
        generator_url=vllm.url, generator_first_token_timeout_s=120, scope_file=scope
    ) as gateway:
        for choice in ("required", named):
            for stream in (False, True):
                message, rag, reason = asked_with_tools(
                    gateway, stream=stream, tools=[QUOTE], tool_choice=choice, temperature=0
                )
                assert reason == "tool_calls", (choice, stream, message)
                assert rag["outcome"] == "answered"
                for name, arguments in arguments_of(message):
                    assert name == "price_quote"
                    assert arguments["service"] in ("express", "standard")
        result = {
            "role": "tool",
            "tool_call_id": message["tool_calls"][0]["id"],
            "content": "Express delivery costs 9.90 euros.",
        }
        turn = {"role": "assistant", "content": None, "tool_calls": message["tool_calls"]}
        reply = gateway.ask(EXPRESS, messages=[*ASKED, turn, result], tools=[QUOTE], temperature=0)
        assert reply.status_code == 200, reply.text
        body = reply.json()
    check(body["choices"][0]["message"]["content"] or "", body["rag"])
    assert body["rag"]["outcome"] == "answered"


def test_llama_indexs_client(served: str) -> None:
    """In an environment of its own, since it needs another version of OpenAI's package."""
    python = peer_environment(PEERS / "llama-index", ["llama-index-llms-openai-like==0.8.1"])
    script = Path(__file__).parent / "llama_index_client.py"
    run = subprocess.run(
        [str(python), str(script), served, EXPRESS], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr[-2_000:]
    said = json.loads(run.stdout.splitlines()[-1])
    assert COSTS.search(said["whole"])
    assert COSTS.search(said["streamed"])
