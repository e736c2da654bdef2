"""Footers in copies: each recipient's own, whatever the values hold, and signed."""

from __future__ import annotations

import email
import time
from collections.abc import Sequence
from email.message import EmailMessage, Message
from email.policy import SMTP
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.dkim import Key
from postroad.mail.headers import scan
from postroad.mail.tokens import TokenMaker
from schemas.mail import RawRef
from schemas.road import Copy, PostRouted
from services.router import copies
from services.sender.compose import Prepared, prepare
from services.sender.signing import Signer
from tests.peers.signingkeys import ed25519_key, rsa_key
from tests.peers.verifiers import dkimpy
from tests.unit.mail.smtpreader import read_data
from tests.unit.router.mails import the_list

TOKENS = TokenMaker(b"k" * 32)
ANN, BOB = "a" * 24, "b" * 24
DATE = b"Date: Sat, 21 Nov 2026 06:00:00 +0000\r\n"
TEXT = b"From: ann@example.org\r\n" + DATE + b"Message-ID: <1@x>\r\n\r\nHello\r\n"
FOOTER = "____\n$display_name, sent to $user_email.\n.\nTo leave: $unsubscribe\n$$5"


def post(
    raw: bytes,
    footer: str = FOOTER,
    *,
    header: str = "",
    personal: bool = True,
    web: bool = False,
    keys: Sequence[Key] = (),
    leave: tuple[str, str] = ("team-leave+", "@lists.example.org"),
) -> Prepared:
    """The post as the router decorates it and the sender prepares it."""
    ref = RawRef(mail_id="0" * 32, chunks=1, size=len(raw), sha256="", head=scan(raw)[1])
    routed = copies.decorated(
        PostRouted(mail_id=ref.mail_id, list="team", raw=ref),
        the_list(header=header, footer=footer),
        raw,
    )
    copy = Copy(
        raw=ref,
        edits=routed.edits,
        insertions=routed.insertions,
        personal=personal,
        list="team",
        list_address="team@lists.example.org",
        bounces=("team-bounces+", "@lists.example.org"),
        leave=leave,
        unsubscribe_url="https://lists.example.org/u/" if web else "",
        post=7,
    )
    signer = Signer(keys, int(time.time())) if keys else None
    return prepare(raw, copy, "f" * 32, TOKENS, signer=signer)


def arrived(prepared: Prepared, person: str = "", address: str = "") -> bytes:
    """A copy as the next server has it: this person's, or the shared one."""
    pieces = prepared.personal(1, person, address)[1] if person else prepared.shared()[1]
    return read_data(b"".join(pieces) + b".\r\n")[0]


def body(data: bytes) -> bytes:
    """What follows the header."""
    return data.partition(b"\r\n\r\n")[2]


def test_each_recipient_sees_their_own() -> None:
    """Address and way out are the recipient's; the list's fields, dots and dollars are the same."""
    prepared = post(TEXT)
    for person, address in ((ANN, "ann@example.org"), (BOB, "bob@example.net")):
        token = TOKENS.leave_token("team", person)
        assert body(arrived(prepared, person, address)).decode() == (
            f"Hello\r\n\r\n____\r\nTeam, sent to {address}.\r\n.\r\n"
            f"To leave: mailto:team-leave+{token}@lists.example.org\r\n$5\r\n"
        )


def test_the_way_out_is_a_link_in_every_form() -> None:
    """An https link where there is a web, else a mail that a mail program can write by itself."""
    token = TOKENS.leave_token("team", ANN)
    https = body(arrived(post(TEXT, web=True), ANN))
    assert f"https://lists.example.org/u/{token}\r\n".encode() in https
    subject = body(arrived(post(TEXT, leave=("team@x.example", "")), ANN))
    assert f"mailto:team@x.example?subject=leave%20{token}\r\n".encode() in subject


@pytest.mark.parametrize(
    ("leave", "link"),
    [
        (("team-leave+", "@lists.example.org"), "mailto:team-leave@lists.example.org"),
        (("team@lists.example.org", ""), "mailto:team@lists.example.org?subject=leave"),
    ],
)
def test_a_shared_copy_has_what_serves_everybody(leave: tuple[str, str], link: str) -> None:
    """No token, no address of a member, and no field that was forgotten."""
    text = body(arrived(post(TEXT, personal=False, web=True, leave=leave))).decode()
    assert f"To leave: {link}\r\n" in text
    assert "sent to team@lists.example.org." in text
    assert "$u" not in text


def test_a_header_stands_above_what_the_author_wrote() -> None:
    """It is the recipient's too, dots and all; the author's text is shared between it and the
    footer."""
    prepared = post(TEXT, header=".$user_email")
    above = b".ann@example.org\r\n\r\nHello\r\n\r\n____\r\n"
    assert body(arrived(prepared, ANN, "ann@example.org")).startswith(above)
    assert body(arrived(post(TEXT, "", header="Team"), ANN)) == b"Team\r\n\r\nHello\r\n"
    (_, *ann), (_, *bob) = prepared.personal(1, ANN)[1], prepared.personal(2, BOB)[1]
    assert [a is b for a, b in zip(ann, bob, strict=True)] == [True, False, True, False]


def test_what_is_the_same_for_all_is_one_object() -> None:
    """However large the mail is, a copy costs its own lines."""
    prepared = post(TEXT.replace(b"Hello", b"Hello" * 100_000))
    (_, *ann), (_, *bob) = prepared.personal(1, ANN)[1], prepared.personal(2, BOB)[1]
    assert [a is b for a, b in zip(ann, bob, strict=True)] == [True, True, False]
    without = post(TEXT, "the same for all")
    (_, *ann), (_, *bob) = without.personal(1, ANN)[1], without.personal(2, BOB)[1]
    assert all(a is b for a, b in zip(ann, bob, strict=True))


def test_footers_are_signed_like_the_rest() -> None:
    """Each copy's own header and footer are under both signatures and the seal, in a text and in
    a part."""
    keys = rsa_key(), ed25519_key()
    records = {key.name: key.record for key in keys}
    html = TEXT.replace(b"\r\n\r\n", b"\r\nContent-Type: text/html\r\n\r\n")
    with dkimpy() as verify:
        for raw, above in product((TEXT, html), ("", ".$user_email")):
            prepared = post(raw, keys=keys, header=above)
            copies = [arrived(prepared, ANN), arrived(prepared, BOB)]
            for copy in (*copies, arrived(post(raw, keys=keys, header=above, personal=False))):
                found = verify(copy, records)
                assert (found.dkim, found.arc) == ([True, True], "pass"), found
            forged = copies[0].replace(b"To leave: ", b"To stay: ")
            assert verify(forged, records).dkim == [False, False]


HOSTILE = st.text(st.sampled_from("a@.-=_\r\n\0\x85\u2028 :$<>") | st.characters(), max_size=60)


@given(HOSTILE | st.sampled_from(["\r\n.\r\nMAIL FROM:<x>", "a\r\n\r\n--b--\r\n", "$unsubscribe"]))
def test_no_value_gets_out_of_its_line(value: str) -> None:
    """Whatever an address is, a copy has the same lines, header fields and parts as any other."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "ann@example.org"
    message.set_content("Hello\n")
    message.add_attachment(b"\0", maintype="image", subtype="png")
    for raw in (
        TEXT,
        message.as_bytes(),
        TEXT.replace(b"\r\n\r\n", b"\r\nContent-Type: a/b\r\n\r\n"),
    ):
        prepared = post(raw, "$user_email\n$user_email: x\n")
        plain, copy = arrived(prepared, ANN, "x@y.example"), arrived(prepared, ANN, value)
        assert plain.count(b"\r\n") == copy.count(b"\r\n")
        assert copy.count(b"\n") == copy.count(b"\r") == copy.count(b"\r\n")
        one, other = email.message_from_bytes(plain), email.message_from_bytes(copy)
        assert one.items() == other.items()
        assert shape(one) == shape(other)


def shape(mail: Message) -> list[str]:
    """The types of all parts."""
    return [part.get_content_type() for part in mail.walk()]


def test_the_events_of_a_footer_are_kept_as_they_are() -> None:
    """What the router decided travels through membership to the sender as data."""
    ref = RawRef(mail_id="0" * 32, chunks=1, size=len(TEXT), sha256="", head=scan(TEXT)[1])
    known = the_list(footer=FOOTER)
    routed = copies.decorated(PostRouted(mail_id="m", list="team", raw=ref), known, TEXT)
    again = msgspec.json.decode(msgspec.json.encode(routed), type=PostRouted)
    assert again == routed
    assert [insertion.at for insertion in again.insertions] == [len(TEXT)]
