"""What the commands leave on the disk is for its owner alone, whatever the umask."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, wait_until

SCOPE = """
version: 1
use_case: Tests.
collections:
  c:
    sources: [{path: pages, name: pages}]
    languages: [en]
    clearance: {supplier: tests, licence: internal, legal_basis: contract}
    pii: {names: none, action: pseudonymise}
variants: {v: {}}
assistants: {a: {collection: c, variant: v}}
"""


def open_to_others(folder: Path) -> list[str]:
    return [
        str(one.relative_to(folder.parent))
        for one in (folder, *folder.rglob("*"))
        if not one.is_symlink() and one.stat().st_mode & 0o077
    ]


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_runs_uploads_keys_and_serving_leave_nothing_that_others_can_read(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.md").write_text("# Hours\n\nWe open at nine. Ask anna@mailbox.example.")
    (tmp_path / "scope.yaml").write_text(SCOPE)
    data = tmp_path / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ,  # noqa: TID251
        "TOUCHSTONE_DATA_DIR": str(data),
        "TOUCHSTONE_SCOPE_FILE": str(tmp_path / "scope.yaml"),
        "TOUCHSTONE_VAULT_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    }
    run = [sys.executable, "-m", "ingestion", "run"]
    subprocess.run(run, cwd=ROOT, env=env, check=True, umask=0, timeout=300, capture_output=True)
    assert open_to_others(data) == []
    command = [sys.executable, "-m", "service", "serve", f"--port={port}"]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        command, cwd=ROOT, env=env, umask=0, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_until(lambda: is_up(url), seconds=300)
            put = httpx.put(f"{url}/v1/documents/b", json={"text": "# Fees\n\nTwo euros."}, timeout=60)
            assert put.status_code == 201, put.text
            ask = {"model": "a", "messages": [{"role": "user", "content": "When do you open?"}]}
            assert httpx.post(f"{url}/v1/chat/completions", json=ask, timeout=60).status_code == 200
            assert (data / "touchstone.db-wal").exists()
            assert open_to_others(data) == []
        finally:
            server.terminate()
            server.wait(120)
    assert open_to_others(data) == []
