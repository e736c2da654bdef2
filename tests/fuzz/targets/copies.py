"""One member's copy of a post, the whole way: each field in it is the author's or ours."""

from __future__ import annotations

from typing import Any

from postroad.mail.fields import fields
from postroad.mail.headers import scan
from postroad.mail.wire import canonical, wrapped
from tests.peers.composed import composed
from tests.unit.router.test_nothing_is_injected import OURS

LISTS: tuple[dict[str, Any], ...] = (
    {},
    {"munged": True, "signed": True},
    {"munged": True, "reply_goes_to_list": "point_to_list"},
    {"anonymous_list": True},
    {"header": "$user_email", "footer": "$unsubscribe"},
)


def one_input(data: bytes) -> None:
    """Which list (the first octet), and a whole mail."""
    how, mail = LISTS[data[0] % len(LISTS) if data else 0], data[1:]
    envelope, _, copy = composed(mail, personal=True, **how).partition(b"\r\n")
    assert envelope.startswith(b"MAIL FROM:<team-bounces+")
    head = scan(mail)[1]
    had, sent = names(canonical(mail[:head])), names(copy)
    assert sent <= had | OURS, sent - had - OURS
    if "footer" not in how:
        assert copy.endswith(wrapped(canonical(mail[head:])))
    facts, _ = scan(copy)
    assert len(facts.from_) <= 1 or not how.get("anonymous_list")


def names(mail: bytes) -> set[str]:
    """The names of the fields of a mail."""
    return {field.name.decode("ascii").lower() for field in fields(mail)}
