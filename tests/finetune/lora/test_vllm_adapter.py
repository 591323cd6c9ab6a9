"""A real vLLM loads an adapter, is what PEFT and the merged model are, and forgets it while it still answers."""

import json
import threading
import urllib.request
from pathlib import Path

import pytest

from finetune.lora.base import base_digest
from finetune.lora.merge import merge
from finetune.lora.parity import measure_parity
from finetune.lora.publish import load, unload
from finetune.lora.registry import Adapter, Lineage, register
from finetune.lora.server import AdapterServer
from finetune.lora.template import Encoded
from finetune.yaml_file import TrainingDataError
from tests.conftest import ROOT, wait_until
from tests.finetune.lora.made import dataset, recipe
from tests.finetune.lora.small_model import write_adapter
from tests.service.answer.test_vllm import Vllm

pytestmark = [
    pytest.mark.vllm,
    # PEFT asks transformers for a name that it gives up.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
MODEL = ROOT / "var/smollm2"
NAME = "SmolLM2-135M-Instruct"
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
HELP = ROOT / "deploy/demo/help"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    folder = tmp_path_factory.mktemp("adapter")
    trained = write_adapter(folder / "trained", MODEL, size=0.01, r=16, lora_alpha=32, target_modules=ALL)
    own = recipe(base={"path": str(MODEL), "served_as": NAME, "licence": "Apache-2.0"})
    lineage = Lineage(own, dataset(folder), base_digest(MODEL), {})
    return register(folder / "adapters", trained, lineage)


def read() -> list[Encoded]:
    """Pages of the help centre, each told again as the answer, so that the likeliest word is likely by far."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    texts = [path.read_text() for path in sorted((HELP / "orders").glob("*.md"))]
    tokens = [tuple(tokenizer(text)["input_ids"][:70]) for text in texts]
    return [Encoded(one + one[:10], one[10:]) for one in tokens]


def test_what_is_served_and_what_is_merged_is_what_was_trained(
    vllm: Vllm, adapter: Adapter, tmp_path: Path
) -> None:
    server = AdapterServer(vllm.url)
    assert [load(adapter, server), load(adapter, server)] == [True, False]
    merge(MODEL, adapter.folder, tmp_path / "merged")
    found = measure_parity(
        MODEL, adapter.folder, read(), merged=tmp_path / "merged", server=server, served_as=adapter.name
    )
    assert found.server is not None
    assert found.tokens >= 500
    assert found.faults() == [], found
    assert found.differs_from_base, found
    other = measure_parity(MODEL, adapter.folder, read(), server=server, served_as=NAME)
    assert other.faults() != [], f"the base passes for the adapter: {other}"


def test_an_answer_in_flight_is_finished_when_the_adapter_is_unloaded(vllm: Vllm, adapter: Adapter) -> None:
    server = AdapterServer(vllm.url)
    load(adapter, server)
    body = {
        "model": adapter.name, "prompt": "Once upon a time", "max_tokens": 200, "ignore_eos": True,
    }  # fmt: skip
    request = urllib.request.Request(
        f"{vllm.url}/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    replies: list[bytes] = []

    def ask() -> None:
        with urllib.request.urlopen(request, timeout=300) as reply:
            replies.append(reply.read())

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: vllm.running() > 0)
    assert unload(adapter, server)
    assert replies == [], "it still writes"
    asking.join()
    assert json.loads(replies[0])["usage"]["completion_tokens"] == 200
    assert adapter.name not in [one.name for one in server.models()]


def test_a_broken_adapter_is_told_in_the_server_s_words(vllm: Vllm, tmp_path: Path) -> None:
    own = recipe(base={"path": str(MODEL), "served_as": NAME})
    trained = write_adapter(tmp_path / "trained", MODEL, r=64, target_modules=["q_proj"])
    large = register(tmp_path / "adapters", trained, Lineage(own, dataset(tmp_path), base_digest(MODEL), {}))
    with pytest.raises(TrainingDataError, match="didn't load .* 64"):
        load(large, AdapterServer(vllm.url))
