"""The pages are valid, small, safe and fit for everybody."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from html.parser import HTMLParser

import pytest

from schemas.leaving import Leaving
from services.web import pages

EVIL = '<script>alert("1")</script>&amp;'
FOUND = Leaving(
    standing="member",
    name=EVIL,
    leave='mailto:a"onclick="b@example.org',
    join="mailto:team-join@example.org",
)
PAGES = {
    "question": pages.question(FOUND),
    "done": pages.done(FOUND),
    "not_on_list": pages.not_on_list(Leaving(name=EVIL)),
    "no_link": pages.no_link(FOUND),
    "nothing known": pages.no_link(Leaving()),
    "forgotten": pages.forgotten(),
    "nothing_here": pages.nothing_here(),
    "not_so": pages.not_so(),
    "says_nothing": pages.says_nothing(),
    "later": pages.later(acts=True),
    "unheard": pages.unheard(431),
}
VOID = {"meta", "input"}
KNOWN = {
    *("html", "head", "title", "style", "body", "main", "h1", "p", "bdi", "a", "form", "button"),
    *VOID,
}
each_page = pytest.mark.parametrize("name", PAGES)


class Outline(HTMLParser):
    """Elements with their attributes, in order; fails where they are not nested."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of this name."""
        return [attributes for name, attributes in self.found if name == tag]


@each_page
def test_a_page_is_plain_html_that_everybody_can_use(name: str) -> None:
    """Each page says its language, fits a phone, has a title and one heading, and needs nothing
    from elsewhere."""
    page = PAGES[name]
    outline = Outline(page)
    assert page.startswith(b"<!DOCTYPE html>\n")
    assert len(page) < 3_000
    assert outline.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in outline.all(
        "meta"
    )
    assert len(outline.all("title")) == len(outline.all("main")) == len(outline.all("h1")) == 1
    assert {tag for tag, _ in outline.found} <= KNOWN
    attributes = {key for _, found in outline.found for key in found}
    assert not attributes & {"src", "style", "target"}
    assert not [key for key in attributes if key.startswith("on")]
    assert all(str(a["href"]).startswith("mailto:") for a in outline.all("a"))


def test_names_and_links_are_text() -> None:
    """What a list is called is shown as it is, and nothing of it becomes a part of the page."""
    outline = Outline(PAGES["question"])
    assert EVIL in outline.words
    (link,) = Outline(PAGES["no_link"]).all("a")
    assert link == {"href": FOUND.leave}


def test_the_button_sends_what_a_provider_sends() -> None:
    """There is one form, to the very address of the page, with one field and one button; it is
    on the page that asks, and on no other."""
    outline = Outline(PAGES["question"])
    assert outline.all("form") == [{"method": "post"}]
    assert outline.all("button") == [{"type": "submit"}]
    assert outline.all("input") == [
        {"type": "hidden", "name": "List-Unsubscribe", "value": "One-Click"}
    ]
    assert not [name for name in PAGES if name != "question" and Outline(PAGES[name]).all("form")]


def test_who_has_left_learns_how_to_come_back() -> None:
    """By a mail to join, unless the list is closed."""
    assert Outline(PAGES["done"]).all("a") == [{"href": FOUND.join}]
    assert "closed" in Outline(PAGES["not_on_list"]).words


@each_page
def test_the_policy_allows_the_style_and_nothing_else(name: str) -> None:
    """The one style is the one whose hash stands in Content-Security-Policy; both colour schemes
    are the reader's own."""
    (style,) = re.findall(rb"<style>(.*?)</style>", PAGES[name], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in pages.POLICY
    assert pages.POLICY.startswith("default-src 'none'; ")
    assert b"color-scheme:light dark" in style
    assert b"color:" not in style
