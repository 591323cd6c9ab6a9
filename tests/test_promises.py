"""What the documents promise is true: the tree, the settings, the metrics, the errors, the corpus, the files."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from ingestion.load import read
from service import errors, metrics
from service.app import create_app
from service.scope import load_scope
from service.settings import Settings
from tests.conftest import ROOT, SCOPE, Demo

TOP = {"pyproject.toml", "service", "ingestion", "finetune", "evals", "deploy", "docs", "tests", "Dockerfile"}
BESIDE = {
    "README.md", "LICENSE", "CONTRIBUTING.md", "DECISIONS.md", "CHANGELOG.md", "Makefile", "requirements",
    "touchstone.yaml", ".ci", ".env.example", ".gitignore", ".dockerignore", ".git",
}  # fmt: skip


def test_the_top_level_holds_what_it_should() -> None:
    tracked = {path.name for path in ROOT.iterdir()}
    assert tracked >= TOP | (BESIDE - {".git"})


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    example = (ROOT / ".env.example").read_text()
    named = {name.lower() for name in re.findall(r"TOUCHSTONE_([A-Z_]+)=", example)}
    assert named == set(Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())


def test_the_example_settings_are_the_defaults(tmp_path: Path) -> None:
    active = [line for line in (ROOT / ".env.example").read_text().splitlines() if line.startswith("TOUCH")]
    path = tmp_path / ".env"
    path.write_text("\n".join(active))
    assert Settings(_env_file=path) == Settings(_env_file=None)  # type: ignore[call-arg]


def metric_names() -> set[str]:
    found = set()
    for value in vars(metrics).values():
        for family in value.describe() if isinstance(value, MetricWrapperBase) else ():
            kinds = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
            found |= {family.name + suffix for suffix in kinds[family.type]}
    return found


def test_every_metric_of_dashboard_and_alerts_exists() -> None:
    known = metric_names()
    for path in ("grafana/dashboards/touchstone.json", "prometheus/alerts.yml"):
        used = set(re.findall(r"touchstone_[a-z_]+", (ROOT / "deploy" / path).read_text()))
        assert used, path
        assert used <= known, f"{path}: {used - known}"


def test_the_dashboard_shows_every_metric() -> None:
    shown = (ROOT / "deploy/grafana/dashboards/touchstone.json").read_text()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in metric_names()}
    assert [name for name in sorted(families) if name not in shown] == []


def error_classes(base: type[errors.TouchstoneError]) -> list[type[errors.TouchstoneError]]:
    direct = base.__subclasses__()
    return [c for child in direct for c in [child, *error_classes(child)] if c.__module__ == "service.errors"]


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    drawing = errors.__doc__ or ""
    for error in error_classes(errors.TouchstoneError):
        line = re.search(rf"{error.__name__}\s+(\d+) (\w+)", drawing)
        assert line, error.__name__
        assert (int(line[1]), line[2]) == (error.status, error.code)


def test_the_api_is_the_recorded_one(tmp_path: Path) -> None:
    """Change `tests/openapi.json` only when the API is meant to change."""
    settings = Settings(_env_file=None, data_dir=tmp_path, scope_file=SCOPE)  # type: ignore[call-arg]
    schema = create_app(settings).openapi()
    recorded = json.loads((ROOT / "tests" / "openapi.json").read_text())
    assert schema == recorded


def test_the_demo_corpus_is_what_it_promises(demo: Demo) -> None:
    help_folder = ROOT / "deploy" / "demo" / "help"
    files = [path for path in help_folder.rglob("*") if path.is_file()]
    texts = {p: " ".join(b.text for b in read(p.read_bytes(), p.name).blocks) for p in files}
    articles = [path for path in files if "tickets" not in path.parts]
    assert len(articles) >= 45
    assert sum(len(text.split()) for text in texts.values()) >= 19_500
    assert {path.suffix for path in files} == {".md", ".html", ".pdf", ".docx", ".txt", ".csv"}
    languages = [document.language for document in demo.release.documents.all()]
    assert (languages.count("de"), languages.count("es")) == (3, 3)
    superseded = [d for d in demo.release.documents.all() if d.superseded_by]
    assert len(superseded) == 2
    assert all(demo.release.documents.document(d.superseded_by or "") for d in superseded)
    assert demo.report.failures == {}
    with (help_folder / "faq" / "faq.csv").open() as file:
        assert len(list(csv.DictReader(file))) >= 20


def test_deployment_files_are_whole() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    assert set(compose["services"]) >= {"gateway", "ingest", "vllm", "postgres", "prometheus", "grafana"}
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (ROOT / "deploy" / source).exists(), volume
    known = {f"TOUCHSTONE_{name.upper()}" for name in Settings.model_fields}
    assert set(compose["x-touchstone"]["environment"]) <= known
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert dockerfile.index("COPY requirements") < dockerfile.index("COPY ingestion")
    assert "USER touchstone" in dockerfile
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        assert all((ROOT / part).exists() for part in source.split()), source


def test_the_default_install_has_no_torch() -> None:
    lock = (ROOT / "requirements" / "default.lock").read_text()
    names = {re.split(r"[=\[ ;]", line)[0].lower() for line in lock.splitlines()}
    assert "fastapi" in names
    assert not names & {"torch", "transformers", "sentence-transformers", "litellm"}
    assert all("==" in line for line in lock.splitlines() if line and not line.startswith("#"))


def test_the_scope_of_the_demo_loads_and_its_digest_ignores_comments(tmp_path: Path) -> None:
    copy = tmp_path / "scope.yaml"
    copy.write_text("# another comment\n" + SCOPE.read_text())
    assert load_scope(copy).digest == load_scope(SCOPE).digest
    copy.write_text(SCOPE.read_text().replace("top_k: 5", "top_k: 6"))
    assert load_scope(copy).digest != load_scope(SCOPE).digest


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("generator: auto", "generator: gpt"), "variant 'baseline' names the unknown generator 'gpt'"),
        (("top_k: 5", "topk: 5"), "variants.baseline.retrieval.topk"),
        (("collection: help", "collection: gone"), "'gone'"),
        (("variant: baseline", "variant: gone"), "'gone'"),
        (("version: 1", "version: 7"), "version"),
        (("collections:", "collections: ["), "YAML"),
    ],
)
def test_a_wrong_scope_is_refused_by_name(tmp_path: Path, change: tuple[str, str], names: str) -> None:
    from ingestion.errors import ScopeError

    wrong = tmp_path / "scope.yaml"
    wrong.write_text(SCOPE.read_text().replace(*change))
    with pytest.raises(ScopeError) as raised:
        load_scope(wrong)
    assert names in str(raised.value)


def test_the_gateway_refuses_an_open_address_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from service.__main__ import main

    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path))
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 1
    assert "Refusing to listen on '0.0.0.0' without API keys" in capsys.readouterr().err


def test_keys_are_made_listed_and_revoked_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from service.__main__ import main

    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path))
    assert main(["db", "upgrade"]) == 0
    assert main(["keys", "create", "frontend", "--scopes", "answer,search"]) == 0
    key = io.StringIO(capsys.readouterr().out).readline().strip()
    assert re.fullmatch(r"ts-[a-z0-9]{8}-[\w-]{43}", key)
    public_id = key.split("-")[1]
    assert main(["keys", "revoke", public_id]) == 0
    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert f"{public_id}  revoked" in listed
    assert key not in listed
    assert main(["keys", "create", "x", "--scopes", "everything"]) == 1
    assert "['everything']" in capsys.readouterr().err


@pytest.mark.slow
def test_several_workers_share_a_port_log_json_and_add_up_their_metrics(demo: Demo, tmp_path: Path) -> None:
    import os
    import socket
    import subprocess
    import sys

    import httpx

    from tests.conftest import wait_until

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,  # noqa: TID251
        "TOUCHSTONE_DATA_DIR": str(demo.data_dir),
        "TOUCHSTONE_DATABASE_URL": f"sqlite:///{tmp_path / 'workers.db'}",
    }
    log = tmp_path / "log"
    command = [sys.executable, "-m", "service", "serve", f"--port={port}", "--workers=2"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=output, stdout=output)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:

                def is_ready() -> bool:
                    try:
                        return client.get("/readyz").status_code == 200
                    except httpx.TransportError:
                        return False

                wait_until(is_ready, seconds=400)
            body = {"model": "support", "messages": [{"role": "user", "content": "What does Plus cost?"}]}
            for _ in range(8):
                # A connection each, so that both processes get some.
                assert (
                    httpx.post(
                        f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=120
                    ).status_code
                    == 200
                )
            metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        finally:
            process.terminate()
            process.wait(120)
    counts = re.findall(r"^touchstone_answers_total{.*} (\S+)$", metrics, re.MULTILINE)
    assert sum(map(float, counts)) == 8
    events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert sum(event["event"] == "request" for event in events) >= 8


def test_the_commands_start_without_any_extra() -> None:
    extras = ("langchain_core", "torch", "sentence_transformers", "ray", "pymilvus")
    hidden = f"import sys; sys.modules.update(dict.fromkeys({extras!r}))"
    code = f"{hidden}; import ingestion.__main__, service.__main__, service.app"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
