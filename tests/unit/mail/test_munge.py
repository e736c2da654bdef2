"""From as a relay takes it: exactly one, readable, and the author always within reach."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from postroad.mail.edits import apply, edit
from postroad.mail.headers import scan
from postroad.mail.mailboxes import write_mailboxes
from postroad.mail.munge import ORIGINAL, munge
from postroad.mail.words import decode, encode, encode_phrase
from schemas.mail import HeaderFacts, Mailbox, RawRef
from schemas.road import Copy

LIST = "team@lists.example"
OURS = {"lists.example"}
ACCOUNT = "Me@gmail.com"


def copy_of(*, address: str = LIST, name: str = "Team", notice: bool = False) -> Copy:
    """A copy of the list."""
    return Copy(
        raw=RawRef(mail_id="m", chunks=1, size=0, sha256="", head=0),
        list="team-lists-example",
        list_address=address,
        list_name=name,
        notice=notice,
        bounces=("", ""),
        post=1,
    )


def munged(header: str, takes: str, copy: Copy | None = None) -> bytes:
    """The header block as this relay gets it."""
    block = header.replace("\n", "\r\n").encode() + b"\r\n"
    return apply(block, munge(block, copy or copy_of(), takes, OURS))


def facts(block: bytes) -> HeaderFacts:
    """What our own scanner reads in it."""
    return scan(block)[0]


def lines(block: bytes) -> dict[str, str]:
    """The fields by name; a name that stands twice fails."""
    found: dict[str, str] = {}
    for line in block.decode().replace("\r\n ", " ").split("\r\n"):
        name, _, value = line.partition(": ")
        assert name.lower() not in found
        if name:
            found[name.lower()] = value
    return found


# --- by example ---------------------------------------------------------------------------------


@pytest.mark.parametrize("takes", ["any", "own_domain", "ANN@lists.example"])
def test_what_the_relay_takes_is_not_touched(takes: str) -> None:
    """Not an octet changes where From is one that the relay takes."""
    header = 'From:  "Ann"\n\t<ann@LISTS.example>\nSender: bob@lists.example\n'
    if takes.startswith("ANN"):
        header = header.replace("Sender: bob", "Sender: ann")
    assert munged(header, takes) == header.replace("\n", "\r\n").encode() + b"\r\n"
    assert munge(b"From: x@evil.example\r\n", copy_of(), "any") == ()


def test_an_author_of_elsewhere() -> None:
    """The author is named, gets the answers, and what stood there is kept; Sender goes."""
    got = lines(munged("From: Ann Lee <Ann@example.org>\nSender: x@y.example\n", "own_domain"))
    assert got == {
        "from": f"Ann Lee via Team <{LIST}>",
        "reply-to": "Ann Lee <ann@example.org>",
        "x-original-from": "Ann Lee <Ann@example.org>",
    }
    assert lines(munged("From: Ann <a@b.c>\n", ACCOUNT))["from"] == f"Ann via Team <{ACCOUNT}>"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (
            '"J\u00fcrgen, \u00c4rzte" <j@example.org>',
            encode("J\u00fcrgen, \u00c4rzte") + " <j@example.org>",
        ),
        ('"Lee, Ann" (work) <Ann@example.org>', '"Lee, Ann" (work) <Ann@example.org>'),
    ],
)
def test_what_stood_in_from_is_kept_as_readers_read_it(written: str, kept: str) -> None:
    """A raw name in quotation marks becomes encoded words without them (RFC 2047 section 5)."""
    assert lines(munged(f"From: {written}\n", "own_domain"))["x-original-from"] == kept


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("ann@example.org", "ann via Team"),
        ('"ann@example.org" <ann@example.org>', "ann via Team"),
        ('"Ann (ann@work.example)" <ann@example.org>', "Ann via Team"),
        ("=?utf-8?q?J=C3=BCrgen?= <j@example.org>", "Jürgen via Team"),
        ('"Lee, Ann \\"A\\"" <ann@example.org>', 'Lee, Ann "A" via Team'),
        ("Ann <a@example.org>, Bob <b@example.org>", "Ann and Bob via Team"),
        ("a@example.org, b@example.org, c@example.org", "a and others via Team"),
        ("undisclosed", "Team"),
        ("", "Team"),
    ],
)
def test_names(author: str, name: str) -> None:
    """The name is the author's or the local part, quoted or encoded as it must be, without a
    second @; of several authors the first two, of none that can be read the list."""
    (box,) = facts(munged(f"From: {author}\n", "own_domain")).from_
    assert (box.address, box.name) == (LIST, name)


def test_a_list_without_a_name_or_with_an_address_for_one() -> None:
    """The local part of the list stands in."""
    for name in ("", "team@lists.example"):
        (box,) = facts(munged("From: a@b.c\n", "own_domain", copy_of(name=name))).from_
        assert box.name == "a via team"


def test_a_reply_to_of_its_own_keeps_its_meaning() -> None:
    """Answers go where the author wanted them; the author is reached by an answer to all."""
    got = lines(munged("From: Ann <a@b.c>\nReply-To: z@b.c\nCc: Bob <b@b.c>\n", "own_domain"))
    assert (got["reply-to"], got["cc"]) == ("z@b.c", "Ann <a@b.c>, Bob <b@b.c>")
    for named in ("Reply-To: A@b.c", "Reply-To: z@b.c\nTo: a@b.c"):
        assert "cc" not in lines(munged(f"From: Ann <a@b.c>\n{named}\n", "own_domain"))
    reply_to = facts(munged("From: a@b.c\nReply-To: nobody\n", "own_domain")).reply_to
    assert [box.address for box in reply_to] == ["a@b.c"]


def test_a_foreign_sender_beside_a_from_that_is_taken() -> None:
    """SES and Microsoft look at Sender too: a foreign one goes, alone."""
    for foreign in ("x@evil.example", "nonsense"):
        got = lines(munged(f"From: Ann <ann@{LIST[5:]}>\nSender: {foreign}\n", "own_domain"))
        assert got == {"from": "Ann <ann@lists.example>"}


@pytest.mark.parametrize("notice", [True, False])
@pytest.mark.parametrize("sub", ["+confirm-abc", "-confirm+abc", "-request", ""])
def test_mail_of_the_list_itself(sub: str, notice: bool) -> None:
    """A notice is not `via` anybody, and an answer reaches the address with the token."""
    gmail = copy_of(address="me+team@gmail.com", notice=notice)
    got = lines(munged(f"From: Team <me+team{sub}@gmail.com>\n", ACCOUNT, gmail))
    assert got["from"] == f"Team <{ACCOUNT}>"
    assert got["reply-to"] == f"Team <me+team{sub}@gmail.com>"
    named = f"From: Team <me+team{sub}@gmail.com>\nReply-To: me+team-confirm+t@gmail.com\n"
    got = lines(munged(named, ACCOUNT, gmail))
    assert got["reply-to"] == "me+team-confirm+t@gmail.com"
    assert "cc" not in got


def test_nobody_to_answer() -> None:
    """Where no author can be read, answers reach the list rather than an account's inbox."""
    assert lines(munged("From: ???\n", ACCOUNT))["reply-to"] == f"<{LIST}>"
    assert "reply-to" not in lines(munged("From: ???\n", "own_domain"))


# --- munging as such ----------------------------------------------------------------------------

NAMES = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="@\uff20\ufe6b") | st.just(" "),
    min_size=1,
    max_size=40,
).map(lambda text: " ".join(text.split()))


@given(NAMES.filter(bool), NAMES.filter(bool), st.sampled_from(["phrase", "words", "quoted"]))
def test_a_name_is_read_as_it_was(name: str, list_name: str, written: str) -> None:
    """Quotes, commas, any script, what looks encoded: readers find the name, and `via` the list;
    munged again by another list, the one `via` more; and by the same, nothing more."""
    if written == "quoted" and name.isascii():
        shown = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        shown = encode(name) if written == "words" else encode_phrase(name)
    block = f"From: {shown} <ann@example.org>\r\n\r\n".encode()
    assume(facts(block).from_[0].name == name)
    change = edit("munge", "From", write_mailboxes((Mailbox(address=LIST, name=list_name),)))
    once = apply(block, [change])
    after = facts(once)
    assert [(box.name, box.address) for box in after.from_] == [(f"{name} via {list_name}", LIST)]
    assert [(box.name, box.address) for box in after.reply_to] == [(name, "ann@example.org")]
    assert not after.oddities
    assert facts(apply(once, [change])).from_ == after.from_


@pytest.mark.parametrize("mailbox", ["", "Team", "a@b.c, d@e.f", "Team <team@>"])
def test_what_is_no_mailbox_munges_nothing(mailbox: str) -> None:
    """An edit of a newer release, or a broken one, leaves a From that is there."""
    block = b"From: Ann <ann@example.org>\r\n\r\n"
    (box,) = facts(apply(block, [edit("munge", "From", mailbox)])).from_
    assert box.address in ("ann@example.org", "a@b.c")


# --- whatever stands in the header ----------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *(
            "Ann",
            '"Lee, Ann"',
            "=?utf-8?b?SsO8?=",
            "Jürgen",
            "a@b.c",
            "<a@b.c>",
            "<x@lists.example>",
        ),
        *(
            "<Me@gmail.com>",
            ",",
            ";",
            "grp:",
            "(",
            ")",
            '"',
            "\\",
            "\t",
            "\n ",
            "\x00",
            "\x1b",
            "<>",
        ),
        *("\r", "\u2028", "@", "<ü@b.c>", "x" * 1000, "Bcc: evil@x.y", "team@lists.example"),
    ]
)
VALUES = st.lists(WORDS, max_size=8).map(" ".join)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["From", "from", "Sender", "Reply-To", "Cc", "To", ORIGINAL]), VALUES
    ),
    max_size=7,
)


@settings(max_examples=200)
@given(FIELDS, st.sampled_from(["own_domain", ACCOUNT]), VALUES, st.booleans())
def test_any_header_becomes_one_the_relay_takes(
    header: list[tuple[str, str]], takes: str, name: str, notice: bool
) -> None:
    """Whatever stands there: afterwards there is one From, read in one way only, that the relay
    takes; no field appears that nobody put in; and every author can be answered."""
    block = "".join(f"{field}: {value}\r\n" for field, value in header).encode() + b"\r\n"
    before = facts(block)
    copy = copy_of(name=name, notice=notice)
    made = munge(block, copy, takes, OURS)
    after = apply(block, made)
    got = facts(after)
    assert len(got.from_) == 1
    assert not [odd for odd in got.oddities if odd.startswith(("from:", "more than one from"))]
    taken = got.from_[0].address
    assert taken == ACCOUNT.lower() if takes == ACCOUNT else taken.endswith("@lists.example")
    assert apply(after, munge(after, copy, takes, OURS)) == after  # taken as it is now
    if not any(change.name == "From" for change in made):
        return
    assert got.sender == ""
    assert "@" not in got.from_[0].name
    assert not {change.name for change in made} - {"From", "Sender", ORIGINAL, "Reply-To", "Cc"}
    reached = {box.address for box in (*got.reply_to, *got.cc, *got.to)} | {taken}
    authors = {box.address for box in before.from_[:10]}
    assert {author for author in authors if author.isascii()} <= reached or (
        notice or authors == {LIST}
    )
    shown = decode(after.decode("utf-8", "replace").replace("\r\n ", " "), 100_000)
    assert ORIGINAL.lower() in shown.lower()
