"""The vLLM that serves adapters, spoken to from this machine or its network alone, one request at a time.

A server that loads what it is told to load must not be reachable by others, and neither may anybody's URL be asked: the
address is resolved once, must be loopback or private, and is the one that is connected to. No proxy, no redirect.
"""

import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from finetune.yaml_file import TrainingDataError

_INTERNAL = tuple(
    map(
        ipaddress.ip_network,
        ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"),
    )
)
_MOST_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a server lists. An adapter has the `parent` that it was loaded on."""

    name: str
    root: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and text of a reply."""

    status: int
    text: str

    def json(self) -> Any:
        """The text as JSON. Raises `TrainingDataError`."""
        try:
            return json.loads(self.text)
        except ValueError as exc:
            raise TrainingDataError(f"The server answered no JSON: {self.text[:200]!r}.") from exc


class AdapterServer:
    """A vLLM by its base URL. Raises `TrainingDataError` for an address that isn't internal."""

    def __init__(self, url: str, *, api_key: str | None = None, patience_s: float = 300.0) -> None:
        self.url = url.rstrip("/")
        self._parts = _parts_of(self.url)
        self._key = api_key
        self._patience_s = patience_s
        self._address = internal_address(str(self._parts.hostname), _port_of(self._parts))

    def models(self) -> list[ServedModel]:
        """What it serves. Raises `TrainingDataError` for a server that can't be reached or lists nothing."""
        reply = self.ask("GET", "/models")
        listed = reply.json().get("data") if reply.status == 200 else None
        if not listed:
            raise TrainingDataError(
                f"The server {self.url!r} lists no models (status {reply.status}). Is it a vLLM, and is /v1 in its URL?"
            )
        return [ServedModel(one["id"], one.get("root") or "", one.get("parent")) for one in listed]

    def prompt_tokens(self, model: str, messages: Sequence[Mapping[str, Any]]) -> tuple[int, ...] | None:
        """What a model of it reads before it answers, as its own template has it; None where it doesn't tell.

        Raises `TrainingDataError` for a server that can't be reached.
        """
        body = {"model": model, "messages": list(messages)}
        # vLLM has it beside /v1, not below.
        root = self._parts.path.removesuffix("/v1")
        reply = self.ask("POST", f"{root}/tokenize", json.dumps(body).encode(), is_whole=True)
        found = reply.json().get("tokens") if reply.status == 200 else None
        return tuple(found) if found else None

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        """What it answers to a POST below its base URL, whatever the status. Raises `TrainingDataError`."""
        return self.ask("POST", path, json.dumps(body).encode())

    def ask(self, method: str, path: str, body: bytes | None = None, *, is_whole: bool = False) -> Reply:
        """One request over a connection of its own; the path is below the base URL unless it `is_whole`.

        Raises `TrainingDataError` where there is no reply.
        """
        connection = http.client.HTTPConnection(
            str(self._parts.hostname), _port_of(self._parts), timeout=self._patience_s
        )
        headers = {"content-type": "application/json"}
        headers |= {"authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            connection.sock = self._connected()
            target = path if is_whole else f"{self._parts.path}{path}"
            connection.request(method, target, body, headers)
            reply = connection.getresponse()
            return Reply(reply.status, reply.read(_MOST_BYTES).decode("utf-8", "replace"))
        except (OSError, http.client.HTTPException) as exc:
            raise TrainingDataError(
                f"The server {self.url!r} can't be reached: {exc}. Start it with `make vllm`, or set `publication.server`."
            ) from exc
        finally:
            connection.close()

    def _connected(self) -> socket.socket:
        """A connection to the address that was checked, whatever the name means by now."""
        plain = socket.create_connection((self._address, _port_of(self._parts)), self._patience_s)
        if self._parts.scheme == "http":
            return plain
        context = ssl.create_default_context()
        return context.wrap_socket(plain, server_hostname=self._parts.hostname)


def internal_address(host: str, port: int) -> str:
    """The address of a host, every one of which is loopback or private. Raises `TrainingDataError`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise TrainingDataError(f"The server's host {host!r} can't be resolved: {exc}.") from exc
    addresses = [str(one[4][0]) for one in found]
    outside = [address for address in addresses if not _is_internal(address)]
    if outside or not addresses:
        raise TrainingDataError(
            f"The server's host {host!r} is at {outside[:1]}, which is neither loopback nor private. A server that loads"
            " adapters is never reached from outside: name an internal address as `publication.server`, or set"
            " `publication.loading` to `static`."
        )
    return addresses[0]


def _is_internal(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in _INTERNAL if network.version == ip.version)


def _parts_of(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise TrainingDataError(f"{url!r} is no URL of a server: write it as http://127.0.0.1:8001/v1.")
    return parts


def _port_of(parts: SplitResult) -> int:
    try:
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        raise TrainingDataError(f"The port in {parts.geturl()!r} is no port.") from exc
