"""HTTP as those who decide on it see it: what is asked, and what is answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for. `target` is as it stands in the request line."""

    method: str
    target: str
    content_type: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What it gets: a page, and header fields beside those that each response has."""

    status: int
    page: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def path_of(target: str) -> str:
    """The path of a request target: of a whole URL too (RFC 9112 section 3.2.2), which proxies
    send, and without what those who count clicks put behind it."""
    _, scheme, rest = target.partition("://")
    if scheme and not target.startswith("/"):
        slash = rest.find("/")
        target = rest[slash:] if slash >= 0 else "/"
    return target.partition("?")[0]
