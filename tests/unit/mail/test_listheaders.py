"""The list's own headers, in their exact forms."""

from __future__ import annotations

import base64
import hashlib

import pytest

from postroad.mail.edits import apply
from postroad.mail.headers import scan
from postroad.mail.listheaders import (
    LIST_HEADERS,
    PRIVILEGED_HEADERS,
    archive_headers,
    cleansed,
    list_headers,
    unsubscribe_headers,
)
from schemas.mail import HeaderEdit


def made(edits: tuple[HeaderEdit, ...]) -> dict[str, str]:
    """The headers that edits put in."""
    return {edit.name: edit.value for edit in edits if edit.op != "remove"}


def test_dash_form() -> None:
    """RFC 2369 and 2919 as Mailman writes them; no https part without a web."""
    assert made(list_headers("list@example.org", "Description", "dash")) == {
        "List-Id": "Description <list.example.org>",
        "List-Post": "<mailto:list@example.org>",
        "List-Help": "<mailto:list-request@example.org?subject=help>",
        "List-Subscribe": "<mailto:list-join@example.org>",
        "List-Unsubscribe": "<mailto:list-leave@example.org>",
        "List-Owner": "<mailto:list-owner@example.org>",
        "Precedence": "list",
    }


def test_plus_form_with_web() -> None:
    """The list's chosen form stands in every address; https comes first where there is a web."""
    edits = list_headers("list@example.org", "", "plus", web_base="https://host/lists/list")
    assert made(edits) == {
        "List-Id": "<list.example.org>",
        "List-Post": "<mailto:list@example.org>",
        "List-Help": "<mailto:list+request@example.org?subject=help>",
        "List-Subscribe": "<https://host/lists/list/join>, <mailto:list+join@example.org>",
        "List-Unsubscribe": "<mailto:list+leave@example.org>",
        "List-Owner": "<mailto:list+owner@example.org>",
        "List-Archive": "<https://host/lists/list/archive>",
        "Precedence": "list",
    }


def test_form_without_sub_addresses() -> None:
    """Where only the list's address delivers, commands stand in the Subject."""
    assert made(list_headers("list@example.org", "", "none")) == {
        "List-Id": "<list.example.org>",
        "List-Post": "<mailto:list@example.org>",
        "List-Help": "<mailto:list@example.org?subject=help>",
        "List-Subscribe": "<mailto:list@example.org?subject=join>",
        "List-Unsubscribe": "<mailto:list@example.org?subject=leave>",
        "Precedence": "list",
    }


def test_a_list_with_too_long_a_name_has_no_links_that_servers_refuse() -> None:
    """`-request` would pass 64 octets here, `-owner` would not: only the first is left out."""
    made = list_headers("t" * 58 + "@lists.example.org", "Team", "dash")
    added = {each.name for each in made if each.op == "add"}
    assert "List-Help" not in added
    assert {"List-Id", "List-Post", "List-Owner", "List-Subscribe", "List-Unsubscribe"} <= added


def test_announce_only_list_says_no() -> None:
    """RFC 2369: a list that takes no posts says NO."""
    assert made(list_headers("a@b.org", "", "dash", post_allowed=False))["List-Post"] == "NO"


@pytest.mark.parametrize(
    ("address", "url", "subject", "headers"),
    [
        (
            "list-leave+TOKEN@example.org",
            "https://host/u/TOKEN",
            "",
            {
                "List-Unsubscribe": "<https://host/u/TOKEN>, <mailto:list-leave+TOKEN@example.org>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        ),
        (
            "list@example.org",
            "",
            "leave TOKEN",
            {"List-Unsubscribe": "<mailto:list@example.org?subject=leave%20TOKEN>"},
        ),
    ],
)
def test_personal_way_out(address: str, url: str, subject: str, headers: dict[str, str]) -> None:
    """RFC 8058: exactly one https link and one mailto; one-click only where there is a link."""
    assert made(unsubscribe_headers(address, url, subject=subject)) == headers


FOREIGN = ("List-Id", "list-post", "List-Archive", "List-Software", "List-Anything-New", "LIST-")


def test_only_our_list_headers_remain() -> None:
    """Another list's headers go, whatever they are called, and receipts, passwords and what only
    we write; signatures and all else stay."""
    names = [name.replace("*", "Any") for name in (*FOREIGN, *LIST_HEADERS, *PRIVILEGED_HEADERS)]
    block = b"".join(b"%b : evil\r\n" % name.upper().encode() for name in names)
    block = b"DKIM-Signature: v=1\r\n" + block + b"Subject: x\r\nListing: y\r\n\r\n"
    after = apply(block, (*cleansed(), *list_headers("list@example.org", "The List", "dash")))
    assert b"evil" not in after
    assert after.startswith(b"List-Id: The List <list.")
    assert after.endswith(b"DKIM-Signature: v=1\r\nSubject: x\r\nListing: y\r\n\r\n")
    assert scan(after)[0].list_ids == ("list.example.org",)


def test_without_links_the_way_out_stays() -> None:
    """`include_rfc2369_headers` off leaves what loops and providers need, and nothing else."""
    assert made(list_headers("list@example.org", "", "dash", links=False)) == {
        "List-Id": "<list.example.org>",
        "List-Unsubscribe": "<mailto:list-leave@example.org>",
        "Precedence": "list",
    }


def test_the_hash_is_that_of_archives() -> None:
    """Base32 of the SHA-1 of the Message-ID, as the example of the Archived-At draft of
    mail-archive.com has it; a link stands only where there are pages."""
    message_id = "msg.20080416.1234@example.com"
    hashed = base64.b32encode(hashlib.sha1(message_id.encode()).digest()).decode()
    assert made(archive_headers(message_id)) == {"Message-ID-Hash": hashed}
    assert made(archive_headers(message_id, "https://host/lists/list")) == {
        "Archived-At": f"<https://host/lists/list/archive/{hashed}/>",
        "Message-ID-Hash": hashed,
    }


def test_description_cannot_break_out() -> None:
    """Whatever a description holds, the identifier is the list's."""
    for description in (
        'x <evil.example> "',
        "a\r\nList-Id: <evil>",
        "Größe <evil>",
        "=?utf-8?q?=41?=",
    ):
        after = apply(b"\r\n", list_headers("list@example.org", description, "dash"))
        assert scan(after)[0].list_ids == ("list.example.org",)


@pytest.mark.parametrize(
    "address", ["c++@example.org", "~user/dev@example.org", "a&b?c@example.org"]
)
def test_links_are_encoded(address: str) -> None:
    """RFC 6068: what means something in a link is written as %XX, and comes back."""
    after = apply(b"\r\n", list_headers(address, "", "dash"))
    assert scan(after)[0].list_posts == (address,)


@pytest.mark.parametrize(
    "block",
    [b"X: y\r\n" * 1_100 + b"\r\n", b"X: " + b"y" * 110_000 + b"\r\n\r\n"],
    ids=["many fields", "a long field"],
)
def test_our_marks_are_seen_in_any_header(block: bytes) -> None:
    """However long the author's header is, what comes back to us is known as ours: no loop."""
    after = apply(block, list_headers("list@example.org", "The List", "dash"))
    assert scan(after)[0].list_ids == ("list.example.org",)
