"""What a request asks for, and what the answer to it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.httpmessage import Request, Response
from schemas.leaving import FollowLink, Leaving, LookAtLink, Standing
from services.web.decider import decide, respond

TOKEN = "b" * 32
LINK = f"/u/team-example-org-{TOKEN}"
LOOK = LookAtLink(list="team-example-org", token=TOKEN)
FOLLOW = FollowLink(list="team-example-org", token=TOKEN)
FORM = "application/x-www-form-urlencoded"
CLICK = b"List-Unsubscribe=One-Click"


def part(name: str, value: str) -> bytes:
    """A form of one field, as providers send it (RFC 8058 section 8.1)."""
    return (
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--x--\r\n'
    ).encode()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, CLICK),
        ("", CLICK),
        (f"{FORM}; charset=utf-8", b"a=b&List-Unsubscribe=One%2DClick\r\n"),
        ("multipart/form-data; boundary=x", part("List-Unsubscribe", "One-Click")),
        ("Multipart/Form-Data; boundary=x", part("list-unsubscribe", "one-click")),
    ],
)
def test_one_click_leaves(content_type: str, body: bytes) -> None:
    """A POST of RFC 8058 takes its person off, in either form."""
    assert decide(Request("POST", LINK, content_type, body)) == FOLLOW


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b""),
        (FORM, b"List-Unsubscribe=No"),
        (FORM, b"One-Click=List-Unsubscribe"),
        (FORM, part("List-Unsubscribe", "One-Click")),
        ("multipart/form-data; boundary=x", CLICK),
        ("multipart/form-data; boundary=x", part("List-Unsubscribe", "No-Click")),
        ("multipart/form-data", b"content-disposition:" + b";" * 4_000),
    ],
)
def test_another_post_does_not(content_type: str, body: bytes) -> None:
    """A POST that does not say the words changes nothing, and is told what to say."""
    answer = decide(Request("POST", LINK, content_type, body))
    assert isinstance(answer, Response)
    assert answer.status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_only_looks(method: str) -> None:
    """GET and HEAD never act, whatever they bring along."""
    assert decide(Request(method, LINK, FORM, CLICK)) == LOOK


@pytest.mark.parametrize(
    ("target", "base_path"),
    [
        (f"{LINK}?utm_source=mail&fbclid=1", ""),
        (LINK.upper(), ""),
        (f"http://anything.example:80{LINK}", ""),
        (f"/lists{LINK}", "/lists"),
        (LINK, "/lists"),
    ],
)
def test_what_is_done_to_links_on_the_way(target: str, base_path: str) -> None:
    """Counters of clicks add a query, proxies send whole URLs, or take off the path of base_url."""
    assert decide(Request("GET", target), base_path) == LOOK


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/u/../../etc/passwd", 404),
        ("GET", f"/u/%2e%2e{LINK}", 404),
        ("GET", "/robots.txt", 404),
        ("GET", "http://nothing", 404),
        ("CONNECT", "lists.example.org:443", 404),
        ("OPTIONS", "*", 404),
        ("DELETE", LINK, 405),
        ("get", LINK, 405),
        ("TRACE", LINK, 405),
    ],
)
def test_anything_else_is_refused_without_asking(method: str, target: str, status: int) -> None:
    """What is no link of ours, or no method of a page, costs no question."""
    answer = decide(Request(method, target, FORM, CLICK))
    assert isinstance(answer, Response)
    assert answer.status == status
    assert (status == 405) == ("Allow" in answer.headers)


@pytest.mark.parametrize(
    ("asked", "standing", "status", "says"),
    [
        (LOOK, "member", 200, "Nothing has changed yet"),
        (LOOK, "left", 200, "nothing to leave"),
        (FOLLOW, "left", 200, "You have left"),
        (FOLLOW, "erased", 410, "erased"),
        (LOOK, "unknown", 404, "Nothing has changed"),
        (FOLLOW, "unknown", 404, "Nothing has changed"),
        (FOLLOW, "", 503, "try again"),
    ],
)
def test_every_answer_has_its_page(
    asked: LookAtLink, standing: Standing, status: int, says: str
) -> None:
    """Each standing has a status for programs, and words for people."""
    answer = respond(asked, Leaving(standing=standing, name="Team", join="mailto:team-join@x"))
    assert answer.status == status
    assert says in answer.page.decode()
    assert (status == 503) == ("Retry-After" in answer.headers)


@given(st.text(), st.text(), st.text(), st.binary())
def test_no_request_is_too_odd(method: str, target: str, content_type: str, body: bytes) -> None:
    """Whatever is asked there is an answer, and only a POST of a link acts."""
    asked = decide(Request(method, target, content_type, body))
    assert not isinstance(asked, FollowLink) or method == "POST"
