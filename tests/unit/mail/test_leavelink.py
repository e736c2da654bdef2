"""Links by which one member leaves one list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.leavelink import before_token, read_path
from postroad.mail.tokens import TokenMaker

TOKEN = TokenMaker(b"k" * 32).leave_token("team-2", "a" * 24)
BASE = "https://lists.example.org"


@pytest.mark.parametrize("slug", ["team", "team-lists-example-org-2", "a" * 104, TOKEN])
def test_a_link_reads_back(slug: str) -> None:
    """List and token of a link are found again, also where its case was folded on the way."""
    path = f"{before_token(BASE, slug)}{TOKEN}".removeprefix(BASE)
    assert read_path(path) == read_path(path.upper()) == (slug, TOKEN)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/u/",
        f"/u/{TOKEN}",
        f"/u/-{TOKEN}",
        f"/u/team-{TOKEN[:-1]}",
        f"/u/team-{TOKEN}/",
        f"/u/team-{TOKEN}\n",
        f"/u/../u/team-{TOKEN}",
        f"/u/te%61m-{TOKEN}",
        f"/u/{'a' * 201}-{TOKEN}",
        f"//u/team-{TOKEN}",
    ],
)
def test_anything_else_is_no_link(path: str) -> None:
    """A link that is cut off, or dressed up, is none."""
    assert read_path(path) is None


@given(st.text())
def test_no_path_is_too_odd(path: str) -> None:
    """Whatever a path is, there is an answer, and what is found is fit for a subject and a MAC."""
    found = read_path(f"/u/{path}")
    assert found is None or (found[0] + found[1]).isascii()
