"""What README and docs/ print works as printed: curl, the official client, LangChain's."""

import json
import re
import shutil
import subprocess

import pytest

from tests.conftest import ROOT, Gateway

PAGES = "\n".join(page.read_text() for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES, re.DOTALL)


@pytest.mark.parametrize(
    "example",
    [e for e in examples("sh") if e.startswith("curl") and ("/v1/chat/" in e or "/v1/search" in e)],
)
def test_curl_examples(gateway: Gateway, example: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = example.replace("http://localhost:8000", gateway.url)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    if '"stream": true' in example:
        assert "data: [DONE]" in done.stdout
        assert "No internet" in done.stdout
    elif "/v1/search" in example:
        assert len(json.loads(done.stdout)["results"]) == 3
    else:
        assert "45 days" in json.loads(done.stdout)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("example", examples("python"), ids=["openai", "langchain", "retriever"])
@pytest.mark.filterwarnings("ignore")
def test_python_examples(
    gateway: Gateway, example: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    example = example.replace("http://localhost:8000", gateway.url)
    example = example.replace('open("var"', f"open({str(gateway.settings.data_dir)!r}")
    exec(compile(example, "docs", "exec"), {})
    printed = capsys.readouterr().out
    if "ChatOpenAI" in example:
        assert "ten recovery codes" in printed
    elif "TouchstoneRetriever" in example:
        assert "two years" in printed
    else:
        assert "€4.99 a month or €49 a year. [1]" in printed, printed  # the answer
        assert "billing/larkmoor-plus.md It costs €4.99" in printed, printed  # and its source
