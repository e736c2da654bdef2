"""Requests to the web service: only a POST of the form acts, and every answer can be shown."""

from __future__ import annotations

from postroad.httpmessage import Request, Response
from schemas.leaving import FollowLink, Leaving, LookAtLink
from services.web.decider import decide, respond
from tests.fuzz.taking import taken, text


def one_input(data: bytes) -> None:
    """Method, target, content type, a list's name, and the body."""
    *words, body = taken(data, 5)
    method, target, content_type, name = map(text, words)
    asked = decide(Request(method, target, content_type, body))
    if isinstance(asked, LookAtLink):
        assert isinstance(asked, FollowLink) == (method == "POST")
        assert (asked.list + asked.token).isascii()
        found = Leaving(standing="member", name=name, join=f"mailto:{name}")
        asked = respond(asked, found)
    assert isinstance(asked, Response)
    assert asked.page.count(b"<p>") == asked.page.count(b"</p>")
    assert asked.page.count(b"<") == asked.page.count(b">")
    assert len(asked.page) < 4_000 + 12 * len(data)
