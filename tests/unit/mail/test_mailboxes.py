"""Address lists in headers."""

from __future__ import annotations

import pytest

from postroad.mail.mailboxes import parse_mailboxes


def read(value: bytes | str) -> list[tuple[str, str]]:
    """Address and name of each mailbox."""
    return [(box.address, box.name) for box in parse_mailboxes(value)[0]]


@pytest.mark.parametrize(
    ("value", "mailboxes"),
    [
        ("Ada <ada@example.org>", [("ada@example.org", "Ada")]),
        ("ada@example.org", [("ada@example.org", "")]),
        ("ada@example.org (Ada (Countess) L.)", [("ada@example.org", "Ada (Countess) L.")]),
        ('"Lovelace, \\"Ada\\"" <ada@example.org>', [("ada@example.org", 'Lovelace, "Ada"')]),
        ("=?utf-8?q?J=C3=BC?= =?utf-8?q?rgen?= <j@example.org>", [("j@example.org", "Jürgen")]),
        ("=?iso-8859-1*de?B?SvxyZ2Vu?= <j@example.org>", [("j@example.org", "Jürgen")]),
        ("Ada\r\n\t<a@b.org>,\r\n bob@b.org", [("a@b.org", "Ada"), ("bob@b.org", "")]),
        ("ada@example.org <Ada@example.org>", [("ada@example.org", "ada@example.org")]),
        ("[Team] Ada <ada@example.org>", [("ada@example.org", "[Team] Ada")]),
        ('""<ada@example.org>', [("ada@example.org", "")]),
        ("undisclosed-recipients:;", []),
        ("", []),
        (" , ,, ", []),
        # RFC 5322 appendix A
        (
            "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            [("mary@x.test", "Mary Smith"), ("jdoe@example.org", ""), ("one@y.test", "Who?")],
        ),
        (
            'Pete <pete@silly.example>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
            [("pete@silly.example", "Pete"), ("sysservices@example.net", 'Giant; "Big" Box')],
        ),
        (
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            [("c@a.test", "Ed Jones"), ("joe@where.test", ""), ("jdoe@one.test", "John")],
        ),
        (
            "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            [("pete@silly.test", "Pete")],
        ),
        (
            "A Group(Some)\r\n :Chris <c@(Chris's host.)public.example>,\r\n joe@a.b (me); (end)",
            [("c@public.example", "Chris"), ("joe@a.b", "me")],
        ),
        ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", []),
        ("Joe Q. Public <john.q.public@a.com>", [("john.q.public@a.com", "Joe Q. Public")]),
        (
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            [("mary@example.net", "Mary Smith"), ("jdoe@test.example", "")],
        ),
    ],
)  # fmt: skip
def test_list_is_read(value: str, mailboxes: list[tuple[str, str]]) -> None:
    """Groups, comments, quotes, encoded words, folding and obsolete forms are all understood."""
    assert read(value) == mailboxes
    assert read(value.encode()) == mailboxes


@pytest.mark.parametrize(
    ("value", "others"),
    [
        ("ada@good.org)bob@evil.org", []),
        ("<ada@good.org>bob@evil.org", []),
        ("ada@good.org <bob@evil.org>", []),
        ("ada@good.org<bob@evil.org>", []),
        ("<ada@good.org> <bob@evil.org>", []),
        ("<ada@good.org, bob@evil.org>", []),
        ("<<ada@good.org>bob@evil.org>", []),
        ("<ada@good.org\0bob@evil.org>", []),
        ("ada@good.org\0@evil.org", []),
        ("ada@good.org@evil.org", []),
        ("ada@good.org bob@evil.org", []),
        ("Ada ada@good.org", []),
        ("ada@good.org:bob@evil.org", []),
        ("friends: ada@good.org:bob@evil.org;", []),
        ("=?utf-8?q?ada=40good.org?=@evil.org", []),
        ("=?utf-8?q?<ada@good.org>?=", []),
        ("ada@good.org\uff0cbob@evil.org", []),
        ("\u212aevin@good.org, bob@fine.org", ["bob@fine.org"]),
        ("ada@good.org>, bob@fine.org", ["bob@fine.org"]),
        ("bob@fine.org, <ada@good.org", ["bob@fine.org"]),
        ('bob@fine.org, "ada@good.org', ["bob@fine.org"]),
        ("bob@fine.org, (ada@good.org", ["bob@fine.org"]),
        ('bob@fine.org, "ada <ada@good.org>, eve@evil.org', ["bob@fine.org"]),
        ('"ada@good.org"@evil.org', ['"ada@good.org"@evil.org']),
        ('"ada@good.org" <bob@evil.org>', ["bob@evil.org"]),
        ("ada@good.org(@evil.org)", ["ada@good.org"]),
        ("bob%good.org@evil.org", ["bob%good.org@evil.org"]),
        ("good.org!ada@evil.org", ["good.org!ada@evil.org"]),
        ('"ada\r\nß"@good.org', []),
        ("<>", []),
        ("@", []),
        ("ada@", []),
        ("@good.org", []),
    ],
)
def test_trick_gives_no_wrong_address(value: str, others: list[str]) -> None:
    """What cannot be read in one way only is left out and named; its neighbours are kept."""
    mailboxes, odd = parse_mailboxes(value)
    assert [box.address for box in mailboxes] == others
    assert odd or others
    assert not any("good" in each or "evil" in each for each in odd)


def test_list_is_bounded() -> None:
    """At most 1,000 mailboxes are read, and the cut is named."""
    mailboxes, odd = parse_mailboxes("ada@example.org," * 5_000)
    assert len(mailboxes) == 1_000
    assert odd == ("list cut at 1000 addresses",)


@pytest.mark.parametrize(
    "value", ["x" * 102_395 + ",a@example.org", " " * 102_385 + "a@example.org.evil"]
)
def test_cut_makes_no_address(value: str) -> None:
    """Where the 100 KiB end inside an address, half an address is not taken for one."""
    mailboxes, odd = parse_mailboxes(value)
    assert mailboxes == ()
    assert "list cut" in odd


@pytest.mark.parametrize(
    "unit",
    [
        "(",
        ")",
        "<",
        ">",
        "[",
        '"',
        '"\\',
        "\\",
        ",",
        ";",
        ":",
        "@",
        "a.",
        "()",
        "=?a?q?",
        "\0",
        "é@é,",
        "<a@b>",
        '"" ',
    ],
)
def test_hostile_repetition_takes_no_time(unit: str) -> None:
    """100 KiB of any one construct is read in linear time (the test's own limit is far off)."""
    parse_mailboxes(unit * (102_400 // len(unit)))


def test_display_name_is_safe_to_print() -> None:
    """No control or direction character comes out of a name, however it was written."""
    (box,), _ = parse_mailboxes(
        b'=?utf-8?q?A=0D=0ABcc=3A_x=00=E2=80=AE=1B?= "\x07" <a@example.org>'
    )
    assert box.name.isprintable()
    assert box.name.startswith("A  Bcc: x")
