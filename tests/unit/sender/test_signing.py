"""Signed copies, as verifiers that share nothing with us see them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroad.mail.dkim import Key
from postroad.mail.edits import edit
from postroad.mail.headers import scan
from postroad.mail.tokens import TokenMaker
from schemas.mail import RawRef
from schemas.road import Copy
from services.sender.compose import ANY, Prepared, Terms, prepare
from services.sender.signing import Signer
from tests.peers.signingkeys import ed25519_key, rsa_key
from tests.peers.verifiers import Verify, dkimpy, opendkim
from tests.unit.mail.smtpreader import read_data

TOKENS = TokenMaker(b"k" * 32)
ANN, BOB = "a" * 24, "b" * 24
BOTH = (rsa_key(), ed25519_key())
RECORDS = {key.name: key.record for key in BOTH}
DATE = b"Date: Sat, 21 Nov 2026 06:00:00 +0000\n"
POST = (
    b"From: ann@example.org\n" + DATE + b"Message-ID: <1@x>\nSubject: hi\n\n.first\n\nlast \n\n\n"
)
RESULTS = b"Authentication-Results: mx.example.net; dkim=pass header.d=example.org;\n\tarc=%b\n"


@pytest.fixture(scope="module")
def verify() -> Iterator[Verify]:
    """Debian's python3-dkim."""
    with dkimpy() as verify:
        yield verify


@pytest.fixture(scope="module")
def opendkim_verify() -> Iterator[Verify]:
    """Debian's opendkim-testmsg."""
    with opendkim() as verify:
        yield verify


def post(
    raw: bytes,
    keys: Sequence[Key] = BOTH,
    *,
    personal: bool = True,
    notice: bool = False,
    authserv_id: str = "mx.example.net",
    terms: Terms = ANY,
    seals: bool = True,
) -> Prepared:
    """The post prepared for a list of the keys' domain."""
    domain = keys[0].domain if keys else "lists.example"
    copy = Copy(
        raw=RawRef(mail_id="0" * 32, chunks=1, size=len(raw), sha256="", head=scan(raw)[1]),
        edits=(edit("prefix", "Subject", "[Team]"),),
        personal=personal,
        notice=notice,
        authserv_id=authserv_id,
        list="team",
        list_address=f"team@{domain}",
        bounces=("team-bounces+", f"@{domain}"),
        leave=("team-leave+", f"@{domain}"),
        unsubscribe_url=f"https://{domain}/u/",
        post=7,
    )
    signer = Signer(keys, int(time.time()), seals)
    return prepare(raw, copy, "f" * 32, TOKENS, terms, signer)


def arrived(prepared: Prepared, person: str = "") -> bytes:
    """A copy as the next server has it: this person's, or the shared one."""
    pieces = prepared.personal(1, person)[1] if person else prepared.shared()[1]
    return read_data(b"".join(pieces) + b".\r\n")[0]


def test_each_copy_verifies(verify: Verify, opendkim_verify: Verify) -> None:
    """Personal copies, each with its own fields, and shared ones carry signatures by both keys and
    a chain, all right."""
    personal, shared = post(POST), post(POST, personal=False)
    copies = [arrived(personal, ANN), arrived(personal, BOB), arrived(shared)]
    assert len(set(copies)) == 3
    for copy in copies:
        found = verify(copy, RECORDS)
        assert (found.dkim, found.arc) == ([True, True], "pass"), found
        assert opendkim_verify(copy, RECORDS).dkim == [True]


@pytest.mark.parametrize("key", BOTH, ids=["rsa", "ed25519"])
def test_each_kind_of_key_verifies_alone(key: Key, opendkim_verify: Verify) -> None:
    """OpenDKIM takes either signature where it is the only one, and neither once the text is
    another."""
    copy = arrived(post(POST, (key,)), ANN)
    assert opendkim_verify(copy, RECORDS).dkim == [True]
    assert opendkim_verify(copy.replace(b"last", b"lost"), RECORDS).dkim == [False]


@pytest.mark.parametrize(
    "name",
    b"From Subject To Cc Reply-To Date List-Unsubscribe List-Unsubscribe-Post".split(),
)
def test_nothing_can_be_added(verify: Verify, name: bytes) -> None:
    """A second field that readers might believe, or act on, breaks every signature."""
    copy = arrived(post(POST), ANN)
    assert verify(name + b": evil\r\n" + copy, RECORDS).dkim == [False, False]
    cut = copy.index(b"\r\n\r\n") + 2
    assert verify(copy[:cut] + name + b": evil\r\n" + copy[cut:], RECORDS).dkim == [False, False]


def test_the_way_out_cannot_be_changed(verify: Verify) -> None:
    """One member's link on another's copy is no valid one (RFC 8058 4)."""
    copy = arrived(post(POST), ANN)
    ann, bob = (TOKENS.leave_token("team", person).encode() for person in (ANN, BOB))
    assert ann in copy
    assert verify(copy.replace(ann, bob), RECORDS).dkim == [False, False]


def test_nothing_can_be_appended(verify: Verify) -> None:
    """There is no l=: text behind the signed one breaks the signature, empty lines do not."""
    copy = arrived(post(POST), ANN)
    assert verify(copy + b"\r\n\r\n", RECORDS).dkim == [True, True]
    assert verify(copy + b"x\r\n", RECORDS).dkim == [False, False]


def test_what_the_relay_rewrites_is_not_signed(verify: Verify) -> None:
    """Where a relay gives copies its own Message-ID and Date, signature and chain survive that."""
    copy = arrived(post(POST, terms=Terms(keeps_message_id=False)), ANN)
    lines = [
        b"Message-ID: <relay@x>" if line.startswith(b"Message-ID:") else line
        for line in copy.replace(b" 06:00:00 ", b" 06:00:01 ").split(b"\r\n")
    ]
    found = verify(b"\r\n".join(lines), RECORDS)
    assert (found.dkim, found.arc) == ([True, True], "pass"), found


def test_the_authors_signature_stays(verify: Verify) -> None:
    """A signature that came with the mail is passed on below ours, and ours stay right."""
    theirs = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=from; bh=AA==; b=AA==\n"
    copy = arrived(post(theirs + POST), ANN)
    assert theirs.strip() in copy
    assert verify(copy, RECORDS).dkim == [True, True, False]


@pytest.mark.parametrize(("hop", "arc"), [(b"pass", "pass"), (b"fail", "ended")])
def test_a_chain_is_continued(verify: Verify, hop: bytes, arc: str) -> None:
    """A mail that another list sealed gets set 2 with what the trusted server says of set 1."""
    first = (rsa_key("other.example"),)
    records = {**RECORDS, first[0].name: first[0].record}
    came = arrived(post(POST, first), ANN)
    assert verify(came, records).arc == "pass"
    copy = arrived(post(RESULTS % hop + came), BOB)
    assert b"cv=%b;" % hop in copy
    assert b"ARC-Authentication-Results: i=2; mx.example.net;" in copy
    assert verify(copy, records).arc == arc
    assert verify(copy, records).dkim == [True, True, False]  # the other list's: we prefixed


def test_what_nobody_validated_is_not_sealed(verify: Verify) -> None:
    """A chain of which the trusted server says nothing is signed over and left as it is."""
    came = arrived(post(POST, (rsa_key("other.example"),)), ANN)
    prepared = post(came)
    assert prepared.unsigned == "not sealed: nobody we trust has validated its ARC chain"
    copy = arrived(prepared, BOB)
    assert b"i=2" not in copy
    assert verify(copy, RECORDS).dkim[:2] == [True, True]


def test_only_the_trusted_server_is_attested() -> None:
    """Results of other servers, and those under its name that it did not write, are not: the
    latter are taken off (RFC 8601 5). Without authserv_id nothing is attested."""
    forged = b"Authentication-Results: MX.example.NET (x); dkim=pass header.d=forged.example\n"
    other = b"Authentication-Results: mx.evil.example; dkim=pass header.d=evil.example\n"
    raw = other + RESULTS % b"none" + forged + other + POST
    copy = arrived(post(raw), ANN)
    attested = copy.partition(b"ARC-Authentication-Results: ")[2].partition(b"\r\nDKIM-")[0]
    wanted = b"i=1; mx.example.net; dkim=pass header.d=example.org; arc=none"
    assert attested.split() == wanted.split()
    assert b"forged.example" not in copy
    assert copy.count(b"evil.example") == 4
    assert b"i=1; lists.example; none\r\n" in arrived(post(raw, authserv_id=""), ANN)


def test_when_there_is_no_seal(verify: Verify) -> None:
    """Our own notices have no history to attest, verifiers know no Ed25519 in ARC, and a domain
    may want none; DKIM signatures are made all the same."""
    for prepared in (post(POST, notice=True), post(POST, BOTH[1:]), post(POST, seals=False)):
        assert not prepared.unsigned
        found = verify(arrived(prepared, ANN), RECORDS)
        assert all(found.dkim)
        assert found.dkim
        assert found.arc == "none"


def test_off_without_a_key() -> None:
    """A domain without key has copies as they always were."""
    copy = arrived(post(POST, ()), ANN)
    assert copy.startswith(b"List-Unsubscribe: ")
    assert b"DKIM" not in copy
    assert b"ARC" not in copy


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    head=st.lists(
        st.sampled_from(
            [
                *(b"Subject: a  b", b"subject : c", b"To: x@y.z,\n\t  a@b.c \t", b"X:", b"X: \0"),
                *(b"Cc: \xc3\xa9 \xff", b"Message-ID: <1@x>", b"References: <a@b>\n \n <c@d>"),
                *(b"Content-Type: text/plain", b"no field", b"\xe9: x", b"X-\x0bY: z", b" folded"),
                *(b"List-Id: <x.y>", b"Sender: a@b.c", b"From: d@e.f", b"Received: a\r\tb", b""),
                b"X: " + b"long " * 300,
            ]
        ),
        max_size=6,
    ),
    body=st.lists(
        st.sampled_from([b"", b" ", b".", b"..", b"a \t b  ", b"\t", b"\xff\0", b"x" * 1_200]),
        max_size=8,
    ),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    last=st.booleans(),
    personal=st.booleans(),
)
def test_whatever_the_mail(
    verify: Verify, head: list[bytes], body: list[bytes], end: bytes, last: bool, personal: bool
) -> None:
    """A signed copy verifies, or is sent without any signature and with a reason; its body is the
    author's either way."""
    lines = [b"From: ann@example.org", DATE.strip(), *head, b"", *body]
    raw = end.join(lines).replace(b"\n", end) + end * last
    signed, plain = post(raw, personal=personal), post(raw, (), personal=personal)
    with_, without = (arrived(each, ANN if personal else "") for each in (signed, plain))
    if signed.unsigned:
        assert signed.unsigned.startswith("not signed: ")
        assert with_ == without
    else:
        assert with_.endswith(without)
        found = verify(with_, RECORDS)
        assert (found.dkim, found.arc) == ([True, True], "pass"), found


def test_every_corpus_mail(verify: Verify, corpora: Path) -> None:
    """Of real and hostile mail, most is signed and verifies, and the rest says why it is not."""
    files = [path for path in corpora.rglob("*") if path.is_file()]
    signed = 0
    for path in files:
        prepared = post(path.read_bytes(), BOTH[1:])
        if prepared.unsigned.startswith("not signed"):
            continue
        signed += 1
        found = verify(arrived(prepared, ANN), RECORDS)
        assert found.dkim[:1] == [True], f"{path.relative_to(corpora)}: {found}"
    assert signed > len(files) / 2


def test_what_takes_a_while_is_known() -> None:
    """Own RSA signatures are costly, so that small posts get their turn between any two; what is
    signed once for all, or with Ed25519, is not."""
    assert post(POST, BOTH).costly
    assert not post(POST, BOTH[1:]).costly
    assert not post(POST, BOTH, personal=False).costly
    assert not post(POST, ()).costly
