"""The header block of a copy: what the list adds, what it takes off, what stays the author's."""

from __future__ import annotations

import pytest

from postroad.mail.addresses import Match
from postroad.mail.edits import apply
from postroad.mail.headers import scan
from postroad.mail.identity import message_id_hash
from projections.lists import List
from services.router import copies, decider
from tests.unit.router.mails import MAIL_ID, MEMBER, before, mail, the_list

POSTED = (
    "Message-ID: <1@example.org>",
    "Sender: desk@example.org",
    "DKIM-Signature: v=1; h=from:subject; b=abc",
    "List-Id: Old <old.example.net>",
    "List-Unsubscribe: <https://phish.example/>",
    "X-BeenThere: old@example.net",
    "Disposition-Notification-To: ann@example.org",
    "Approved: secret",
)


def headers_of_copy(known: List, *lines: str, web: str = "", owner: bool = False) -> str:
    """The header block of a copy, after the edits of the decision."""
    received = mail(*lines)
    context = before(received, MEMBER, known)
    edits = copies.owner_edits(context) if owner else copies.post_edits(context, web)
    head = "\r\n".join([*lines, "Subject: Tea", "", ""]).encode()
    return apply(head, edits).decode()


def test_a_copy_carries_this_lists_headers_and_no_other_lists() -> None:
    """RFC 2369 and RFC 2919: our List-*, exactly; what stood there before comes off."""
    copy = headers_of_copy(the_list(), *POSTED)
    for line in (
        "List-Id: Team <team.lists.example.org>",
        "List-Post: <mailto:team@lists.example.org>",
        "List-Help: <mailto:team-request@lists.example.org?subject=help>",
        "List-Subscribe: <mailto:team-join@lists.example.org>",
        "List-Unsubscribe: <mailto:team-leave@lists.example.org>",
        "List-Owner: <mailto:team-owner@lists.example.org>",
        "Precedence: list",
        "Subject: [Team] Tea",
    ):
        assert f"\r\n{line}\r\n" in f"\r\n{copy}"
    assert "old.example.net" not in copy
    assert "phish.example" not in copy


def test_a_copy_keeps_what_is_the_authors() -> None:
    """Message-ID, Sender and signatures stay as they were; Sender is never added."""
    copy = headers_of_copy(the_list(), *POSTED)
    assert all(f"{line}\r\n" in copy for line in POSTED[:3])
    assert "Sender" not in headers_of_copy(the_list())


def test_a_copy_tells_nothing_that_is_not_for_members() -> None:
    """Passwords and requests for receipts do not reach the list."""
    copy = headers_of_copy(the_list(), *POSTED)
    assert "Disposition-Notification-To" not in copy
    assert "secret" not in copy


@pytest.mark.parametrize("owner", [False, True])
def test_a_copy_remembers_every_list_it_went_through(owner: bool) -> None:
    """When it comes back, even by way of another list, the loop rule knows it."""
    copy = headers_of_copy(the_list(), *POSTED, owner=owner)
    facts, _ = scan(copy.encode())
    here = "team-owner@lists.example.org" if owner else "team@lists.example.org"
    assert facts.been_there == ("old@example.net", here)
    came_back = mail(*(f"X-BeenThere: {address}" for address in facts.been_there))
    to = Match("team", "owner" if owner else "")
    assert decider.decide(came_back, to, the_list(), MEMBER)[0] == "discarded"


def test_mail_to_owners_goes_as_it_came() -> None:
    """No prefix and no list headers: it is a letter, not a post."""
    copy = headers_of_copy(the_list(), *POSTED, owner=True)
    assert "Subject: Tea\r\n" in copy
    assert "Old <old.example.net>" in copy
    assert "team.lists.example.org" not in copy


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({}, "[Team] Tea"),
        ({"subject_prefix": "[T]"}, "[T] Tea"),
        ({"subject_prefix": "[T] "}, "[T] Tea"),
        ({"subject_prefix": ""}, "Tea"),
        ({"display_name": ""}, "[team] Tea"),
        ({"display_name": "Grüße"}, "[Grüße] Tea"),
    ],
)
def test_the_subject_prefix_is_the_lists_name_unless_set(settings, subject: str) -> None:
    """None means the display name in brackets, empty means no prefix."""
    facts, _ = scan(headers_of_copy(the_list(**settings)).encode())
    assert facts.subject == subject


def test_an_announcement_list_says_that_it_takes_no_posts() -> None:
    """RFC 2369: List-Post: NO where members' posts are refused."""
    assert "List-Post: NO\r\n" in headers_of_copy(the_list(default_member_action="reject"))


def test_https_links_stand_only_where_there_are_pages() -> None:
    """Without [web] no link is promised that nobody answers."""
    assert "https:" not in headers_of_copy(the_list())
    copy = headers_of_copy(the_list(), web="https://lists.example.org")
    assert "<https://lists.example.org/lists/team/join>" in copy


def test_a_list_may_do_without_links() -> None:
    """`include_rfc2369_headers` off leaves List-Id and the way out, ours alone."""
    copy = headers_of_copy(the_list(include_rfc2369_headers=False), *POSTED)
    names = [line.partition(":")[0] for line in copy.splitlines() if line.startswith("List-")]
    assert names == ["List-Id", "List-Unsubscribe"]
    assert "phish.example" not in copy


def test_a_copy_says_what_archives_call_it() -> None:
    """Message-ID-Hash is that of the Message-ID that members see, ours where there was none; a
    link to an archive stands only where there are pages, a foreign one never."""
    foreign = ("Archived-At: <https://phish.example/>", "Message-ID-Hash: AAAA")
    copy = headers_of_copy(the_list(), "Message-ID: <1@example.net>", *foreign)
    assert "Message-ID-Hash: I4UQJ6HFKC7HFIBHXSOX53BWTIJRZ2AC\r\n" in copy
    assert "AAAA" not in copy
    assert "Archived-At" not in copy
    web = headers_of_copy(the_list(), "Message-ID: <1@example.net>", web="https://l.example")
    link = "<https://l.example/lists/team/archive/I4UQJ6HFKC7HFIBHXSOX53BWTIJRZ2AC/>"
    assert f"Archived-At: {link}\r\n" in web
    made = message_id_hash(f"{MAIL_ID}@lists.example.org")
    assert f"Message-ID-Hash: {made}\r\n" in headers_of_copy(the_list())
