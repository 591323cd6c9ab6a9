"""A real instruct model in a real vLLM (`make vllm`): what it writes leaves cited, clean, or not at all."""

import re
from collections.abc import Iterator

import pytest

from evals.case import load_cases
from ingestion.text.sentences import sentence_spans
from tests.conftest import ROOT, Gateway, StartGateway
from tests.service.answer.test_vllm import VENV, Vllm
from tests.service.conftest import stream_of, text_of

pytestmark = pytest.mark.vllm
LEAK = re.compile(r"</?passage|passage-[0-9a-f]{4}|<\|\w+\|>|</?think|ref-[a-p]{20}")


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    if not (VENV / "installed").is_file() or not (ROOT / "var/smollm2/config.json").is_file():
        pytest.skip("the model is not there: run `deploy/vllm/serve install`")
    server = Vllm(tmp_path_factory.mktemp("vllm") / "vllm.log", "smollm2")
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
