"""From a request to its response. Pure."""

from __future__ import annotations

import msgspec

from postroad.httpmessage import Request, Response, path_of
from postroad.runtime.condition import Status
from postroad.runtime.verdict import STAGES

METHODS = ("GET", "HEAD")
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
PAGES = ("/healthz", "/readyz", "/metrics")


def asked(request: Request) -> str | Response:
    """Which of the pages is wanted, or what to say without looking."""
    path = path_of(request.target)
    if path not in PAGES:
        return said(404, f"nothing is here; there are: {', '.join(PAGES)}")
    if request.method not in METHODS:
        return Response(405, b"", {"Allow": ", ".join(METHODS), **TEXT})
    return path


def health(page: str, status: Status | None) -> Response:
    """How it is: /healthz fails while it is down, /readyz until the road is ready. Without a
    status nobody has looked yet."""
    if status is None:
        return said(503, "nobody has looked yet")
    good = status.state != "down" if page == "/healthz" else ready(status)
    return Response(200 if good else 503, msgspec.json.encode(status) + b"\n", JSON)


def ready(status: Status) -> bool:
    """Whether the road is: the broker, and every service that mail waits for."""
    road = [stage for stage in status.stages if stage.stage in STAGES]
    return status.broker.state == "healthy" and all(each.state == "healthy" for each in road)


def said(status: int, text: str) -> Response:
    """A line of text."""
    return Response(status, f"{text}\n".encode(), TEXT)


def unheard(status: int) -> Response:
    """The answer to what is no request, or one that is too large or too slow."""
    return said(status, "this is no request that is answered here")
