"""One real vLLM for all tests of adapters."""

from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.service.answer.test_vllm import VENV, Vllm


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    pytest.importorskip("trl")
    if not (VENV / "installed").is_file() or not (ROOT / "var/smollm2/config.json").is_file():
        pytest.skip("the model is not there: run `deploy/vllm/serve install`")
    server = Vllm(tmp_path_factory.mktemp("vllm") / "vllm.log", "smollm2")
    server.start()
    yield server
    server.kill()
