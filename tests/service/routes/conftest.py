"""A gateway whose assistant may call tools."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Gateway, StartGateway
from tests.service.tools import tool_scope
from tests.upstream import ScriptedUpstream


@pytest.fixture
def calling(start_gateway: StartGateway, upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[Gateway]:
    with start_gateway(scope_file=tool_scope(tmp_path), generator_url=upstream.url) as gateway:
        yield gateway
