"""Who is believed to have written a mail: Authentication-Results as servers really write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.authentication import MICROSOFT365, authenticated, read_results
from postroad.mail.headers import scan
from schemas.mail import HeaderFacts, Mailbox

GMAIL = (
    "mx.google.com;       dkim=pass header.i=@example.org header.s=s1 header.b=Ab/c+dE1;       "
    "spf=pass (google.com: domain of ada@example.org designates 192.0.2.7 as permitted sender) "
    "smtp.mailfrom=ada@example.org;       dmarc=pass (p=NONE sp=NONE dis=NONE) "
    "header.from=example.org"
)
MICROSOFT = (
    "spf=pass (sender IP is 192.0.2.7) smtp.mailfrom=example.org; dkim=pass (signature was "
    "verified) header.d=example.org;dmarc=pass action=none header.from=example.org;"
    "compauth=pass reason=100"
)
FASTMAIL = (
    "mx1.messagingengine.com; arc=none (no signatures found); bimi=none (No BIMI records found); "
    "dkim=pass (2048-bit rsa key sha256) header.d=example.org header.i=@example.org "
    'header.b="aB/=" header.a=rsa-sha256 header.s=fm1 x-bits=2048; dmarc=pass '
    "policy.published-domain-policy=none policy.applied-disposition=none "
    "(p=none,d=none,d.eval=none) policy.policy-from=p header.from=example.org; "
    "iprev=pass smtp.remote-ip=192.0.2.7 (mail.example.org); "
    "spf=pass smtp.mailfrom=ada@example.org smtp.helo=mail.example.org"
)
OPENDKIM = (
    "mail.our.example/Q0PTRID; dkim=pass (2048-bit key; unprotected) header.d=example.org "
    'header.i=@example.org header.b="Zm9v"; dkim-atps=neutral'
)
OPENDMARC = "mail.our.example; dmarc=pass (p=reject dis=none) header.from=example.org"
RSPAMD = (
    "mail.our.example; dkim=pass header.d=example.org header.s=mail header.b=Zm9vYmFy; "
    "dmarc=pass (policy=quarantine) header.from=example.org; spf=pass (mail.our.example: domain "
    "of ada@example.org designates 192.0.2.7 as permitted sender) smtp.mailfrom=ada@example.org"
)


def mail(*results: str, author: str = "ada@example.org", odd: tuple[str, ...] = ()) -> HeaderFacts:
    """The facts of a mail with these Authentication-Results, the topmost first."""
    return HeaderFacts(from_=(Mailbox(address=author),), auth_results=results, oddities=odd)


@pytest.mark.parametrize(
    ("field", "server"),
    [
        (GMAIL, "mx.google.com"),
        (MICROSOFT, MICROSOFT365),
        (FASTMAIL, "mx1.messagingengine.com"),
        (OPENDKIM, "mail.our.example/Q0PTRID"),
        (OPENDMARC, "mail.our.example"),
        (RSPAMD, "mail.our.example"),
    ],
    ids=["gmail", "microsoft365", "fastmail", "opendkim", "opendmarc", "rspamd"],
)
def test_the_forms_of_real_servers_are_read(field: str, server: str) -> None:
    """What the usual servers write proves the author they name, and nobody else."""
    assert authenticated(mail(field), server)
    assert not authenticated(mail(field, author="ada@example.net"), server)
    assert not authenticated(mail(field, author="ada@example.org.evil.example"), server)
    assert not authenticated(mail(field.replace("=pass", "=fail")), server)


@pytest.mark.parametrize(
    "field",
    [
        "Our.Example; dkim=PASS header.d=Example.ORG",
        '"our.example" 1; dkim/1 = pass (ok) header (a (b) c) . d = example.org',
        '(x) our.example (y); dkim=pass reason="good; signature" header.d="example.org"',
        "our.example; dkim=fail header.d=example.org; dkim=pass header.d=example.org",
        'our.example; dkim=pass header.i="a b"@example.org',
        "our.example; dmarc=pass header.from=example.org; none",
    ],
)
def test_all_of_the_grammar(field: str) -> None:
    """Case, comments, quotes, versions and repeated methods are read as RFC 8601 has them."""
    assert authenticated(mail(field), "our.example")


@pytest.mark.parametrize(
    "field",
    [
        "our.example; none",
        "our.example",
        "",
        "our.example; dkim=pass",
        "our.example; dkim=pass header.d=org",
        "our.example; dkim=pass header.d=mail.example.org",
        "our.example; dkim=pass header.i=@mail.example.org",
        "our.example; dkim=pass header.d=example.org header.d=evil.example",
        "our.example; dkim=pass header.from=example.org",
        "our.example; dkim=pass (header.d=example.org)",
        'our.example; dkim=pass smtp.mailfrom="; dkim=pass header.d=example.org"',
        "our.example; dkim=passed header.d=example.org",
        "our.example; arc=pass header.d=example.org",
        "our.example; spf=pass smtp.mailfrom=ada@example.org",
        "our.example; dmarc=bestguesspass header.from=example.org",
        "our.example; dmarc=pass header.from=mail.example.org",
        "our.example; dmarc=fail header.from=example.org; dmarc=pass header.from=example.org",
        'our.example; spf=pass (of "a) ; dkim=pass header.d=example.org ("@evil.example)',
        "our.example; dkim=pass header.d=example.org; spf=pass (never closed",
        "our.example.evil.example; dkim=pass header.d=example.org",
        "evil.example our.example; dkim=pass header.d=example.org",
        "dkim=pass header.d=example.org; our.example",
    ],
)
def test_what_proves_nothing(field: str) -> None:
    """Other methods, other domains, half-read fields and attempts to break out prove nothing."""
    assert not authenticated(mail(field), "our.example")


def test_the_domain_above_the_authors_may_sign() -> None:
    """example.org answers for dept.example.org; a registry's name answers for nobody."""
    above = mail("our.example; dkim=pass header.d=example.org", author="ada@dept.example.org")
    assert authenticated(above, "our.example")
    registry = mail("our.example; dkim=pass header.d=co.uk", author="ada@example.co.uk")
    assert not authenticated(registry, "our.example")
    own = mail("our.example; dkim=pass header.d=example.co.uk", author="ada@example.co.uk")
    assert authenticated(own, "our.example")


def test_only_the_topmost_field_of_our_server_counts() -> None:
    """Fields that came in with the mail lie below; those of other servers are passed over."""
    forged = "our.example; dkim=pass header.d=example.org"
    assert not authenticated(mail("our.example; dkim=none", forged), "our.example")
    assert authenticated(mail("other.example; dkim=none", forged), "our.example")
    assert not authenticated(mail(forged), "other.example")
    assert not authenticated(mail('our.example; dkim=fail ("', forged), "our.example")


def test_microsoft_writes_no_name_and_stands_on_top() -> None:
    """Exchange Online's nameless form counts where it is the first field of all, and only there."""
    assert not authenticated(mail("other.example; none", MICROSOFT), MICROSOFT365)
    assert not authenticated(mail(f"microsoft365; {MICROSOFT}"), MICROSOFT365)
    assert not authenticated(mail("dkim=pass header.d=example.org"), MICROSOFT365)
    assert not authenticated(mail(MICROSOFT), "")


def test_without_a_server_to_believe_nobody_is_proved() -> None:
    """No `authserv_id`, no proof, whatever the mail says of itself."""
    assert not authenticated(mail("; dkim=pass header.d=example.org"), "")
    assert not authenticated(mail("dkim=pass header.d=example.org"), " ")
    assert not authenticated(mail(GMAIL), "")


@pytest.mark.parametrize(
    "block",
    [
        b"From: ada@example.org\r\nFrom: eve@evil.example\r\n",
        b"From: ada@example.org, eve@example.org\r\n",
        b"From: ada@example.org\r\nFrom: nonsense\r\n",
        b"From: ada@example.org, <nonsense\r\n",
        b"Subject: nobody\r\n",
    ],
)
def test_exactly_one_author(block: bytes) -> None:
    """A mail with several authors, or with one that cannot be read, proves none of them."""
    field = b"Authentication-Results: our.example; dkim=pass header.d=example.org\r\n"
    facts, _ = scan(field + block + b"\r\n")
    assert facts.auth_results
    assert not authenticated(facts, "our.example")


def test_a_field_the_scanner_cut_loses_its_last_result() -> None:
    """A value cut in two could name another domain: nothing after the last semicolon counts."""
    head = "our.example; x=pass header.y=" + "z" * 1_900
    for length in range(1_960, 2_060):
        text = head + "; dkim=pass header.d=" + "a" * (length - len(head) - 40)
        facts, _ = scan(
            f"Authentication-Results: {text}.example.org.evil.example\r\n"
            f"From: a@{'a' * (length - len(head) - 40)}.example.org\r\n\r\n".encode()
        )
        assert not authenticated(facts, "our.example")


@given(st.text(max_size=300), st.text(max_size=30))
def test_garbage_never_proves_anything(text: str, server: str) -> None:
    """Whatever stands there, reading it never raises, and noise never is a proof."""
    read_results(text)
    assert not authenticated(mail(text), server)
    assert not authenticated(mail(text), MICROSOFT365)


@given(
    st.lists(
        st.sampled_from(
            ("our.example", ";", " ", "(", ")", '"', "\\", "dkim", "=", "pass", "header.d", "fail")
        ),
        max_size=60,
    )
)
def test_pieces_of_the_grammar_without_the_domain_prove_nothing(pieces: list[str]) -> None:
    """No arrangement of the grammar proves a domain that does not stand in it."""
    assert not authenticated(mail("".join(pieces)), "our.example")
