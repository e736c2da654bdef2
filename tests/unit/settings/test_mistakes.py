"""How a mistake in the settings is told."""

from __future__ import annotations

import pytest

from postroad.runtime.settings_reader import nearest
from tests.unit.settings.conftest import MINIMAL, Load, Refuse

POP3 = 'kind = "pop3"\nhost = "h"\nuser = "u"\npassword_file = "p"\n'
MAILDIR = 'kind = "maildir"\npath = "/var/mail/lists"\n'


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ("hots = 'x'", '[[relay]] "out": unknown key "hots"; did you mean "host"?'),
        ("password = 'hunter2'", 'unknown key "password"; did you mean "password_file"?'),
        ("port = 70000", '[[relay]] "out" port: expected integer <= 65535'),
        ("port = 'smtp'", '[[relay]] "out" port: expected integer, got text'),
        ("window = 0", '[[relay]] "out" window: expected integer >= 1'),
        ("tls = 'ssl'", '[[relay]] "out" tls: "ssl" is not one of implicit, starttls, none'),
        ("[sites]\nname = 'x'", 'unknown section "sites"; did you mean "site"?'),
        ("[broker]\nurl = 'http://x'", '[broker] url must be "embedded" or nats://'),
        ("[broker]\nreplicas = 2", '[broker] replicas: "2" is not one of 1, 3, 5'),
        ("[broker]\nreplicas = 3", "[broker] replicas: the embedded broker is one server"),
        ("[broker]\nack_wait = 'soon'", '[broker] ack_wait: "soon" is not a duration'),
        ("[telemetry]\notlp_endpoint = 'x'", "[telemetry] otlp_endpoint: not a URL"),
        ("[[domain]]\nname = 'a b'", '"a b" is not a mail domain'),
        ("[[domain]]\nname = 'b.org'\nrelay = 'uot'", 'no "uot"; did you mean "out"?'),
        ("retry_after = 'soon'", '[[relay]] "out" retry_after: "soon" is not a duration'),
        ("[[domain]]\nrelay = 'out'", "[[domain]]: name is missing"),
        ("[[domain]]\nname = 'a.org'\n[[domain]]\narc = false", "[[domain]] number 2: name is mis"),
        ("port = 0", '[[relay]] "out" port: expected integer >= 1'),
        ("[web]\nport = 0", "[web] port: expected integer >= 1"),
        ("[web]\nhost = 'h:80'", '[web] host: "h:80" holds a port; write host = "h"'),
        ("[[site]]", "not valid TOML"),
        ("[[broker]]", "broker must be one table: write [broker]"),
    ],
)
def test_a_mistake_names_section_key_and_remedy(refuse: Refuse, addition: str, told: str) -> None:
    """Every wrong setting is refused in words that say where and what instead."""
    message = refuse(f"{MINIMAL}{addition}\n")
    assert told in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ("name = 'In Box'", '[[source]] "In Box" name: use up to 63 of a-z'),
        ("host = 'a b'", 'host: "a b" is not the name or address of a host'),
        ("user = ''", "user is missing"),
        ("password_file = 3", "password_file: expected the path of a file"),
        ("after = 'move'", 'after: "move" is not one of'),
        ("poll = '0s'", 'poll: "0s" is too small'),
        ("max_size = 'big'", 'max_size: "big" is not a size'),
        (f"max_size = '{'9' * 15}'", "is too large; at most 999,999,999,999"),
        ("port = 0", "port: expected integer >= 1"),
        ("domain = 'lists.example.com'", 'did you mean "lists.example.org"?'),
        ("recipient_headers = ['Delivered To']", '"Delivered To" is not the name of a header'),
        ("recipient_headers = 'Delivered-To'", "recipient_headers: expected array, got text"),
        ("start = 'unsean'", '"unsean" is not one of now, unseen, all'),
    ],
)
def test_a_wrong_source_is_refused(refuse: Refuse, addition: str, told: str) -> None:
    """Every setting of a source is checked before anything connects."""
    key = addition.split(maxsplit=1)[0]
    lines = {"name": "'a'", "host": "'h'", "user": "'u'", "password_file": "'p'"}
    source = "\n".join(f"{k} = {v}" for k, v in lines.items() if k != key)
    site = "[site]\ndomain = 'lists.example.org'\n"
    assert told in refuse(f"{site}[[source]]\n{source}\n{addition}\n")


def test_all_problems_are_listed_at_once(refuse: Refuse) -> None:
    """Nobody mends one line to be told the next."""
    message = refuse(f"{MINIMAL}weihgt = 3\nport = -1\n[broker]\nurl = 'x'\n[wbe]\nport = 1\n")
    assert "4 problems" in message
    for name in ("weihgt", "port", "url", "wbe"):
        assert name in message


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ("[[source]]\nprofile = 'gmial'\nuser = 'u'", 'mean "gmail"?'),
        ("[[relay]]\nprofile = 'SES'\nuser = 'u'", 'mean "ses"?'),
        ("[[relay]]\nhost = 'h'\ntls = 'starttsl'", 'mean "starttls"?'),
        ("[[relay]]\nhost = 'h'\nenvelope = 'verb'", 'mean "verp"?'),
    ],
)
def test_a_wrong_value_has_a_nearest_right_one(refuse: Refuse, addition: str, told: str) -> None:
    """A slip in a value is told with the value that was meant, in one line: what an unknown
    profile would have set is not missing too."""
    report = refuse(f"[site]\ndomain = 'example.org'\n{addition}")
    assert told in report
    assert "missing" not in report
    assert "of ," not in report
    assert len(report.splitlines()) == 1


@pytest.mark.parametrize(
    ("relay", "told"),
    [
        (
            "kind = 'fil'\npath = 'p'",
            '"fil" is not one of smtp, lmtp, http, file; did you mean "file"',
        ),
        ("user = 'u'\npassword_file = 'p'", "host is missing"),
        ("kind = 'lmtp'", "host or path is missing"),
        ("kind = 'lmtp'\nhost = 'h'\npath = 'p'", "host and path exclude each other; remove one"),
        ("kind = 'http'", "url is missing"),
        ("kind = 'http'\nurl = 'http://api.example/'", "url: not a URL of the form https://HOST"),
        ("kind = 'http'\nurl = 'https://me:pw@api.example/'", "put it into token_file"),
        ("kind = 'http'\nurl = 'https://a.example/'\nhost = 'h'", 'host is for kind = "smtp" or'),
        ("kind = 'http'\nurl = 'https://a.example/'\ntoken = 't'", 'did you mean "token_file"'),
        ("kind = 'file'", "path is missing"),
        ("kind = 'file'\npath = 'p'\nuser = 'u'", 'user is for kind = "smtp" or "lmtp"'),
        ("kind = 'file'\npath = 'p'\ntls = 'starttls'", 'tls is for kind = "smtp" or "lmtp"'),
        ("host = 'h'\nurl = 'https://a.example/'", 'url is for kind = "http", and this is "smtp"'),
        ("host = 'h'\npath = 'p'", 'path is for kind = "lmtp" or "file"'),
        ("kind = 'http'\nurl = 'https://a.example/'\nport = 25", 'port is for kind = "smtp" or'),
        ("kind = 'file'\npath = 'p'\ntls = 'none'", 'tls is for kind = "smtp" or "lmtp"'),
        ("kind = 'lmtp'\npath = 'p'\nport = 24", "port is of host, and path is a socket"),
    ],
)
def test_each_kind_of_relay_has_its_own_place(refuse: Refuse, relay: str, told: str) -> None:
    """A relay is where its kind wants it, by TLS where a secret travels, and what only other kinds
    have is not passed over in silence."""
    assert told in refuse(f"[site]\ndomain = 'example.org'\n[[relay]]\n{relay}\n")


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ("kind = 'https'\nurl = 'https://a.example/'", '"https" is not one of smtp, lmtp'),
        ("host = ['h']", "host: expected text, got array"),
        ("host = 'h'\nwarm_up = 50\nwarm_up_from = 2026-12-01", "warm_up: expected array"),
        (
            "host = 'h'\nwarm_up = [5]\nwarm_up_from = 'tomorrow'",
            "warm_up_from: expected a date such as 2026-12-01",
        ),
        (
            "host = 'h'\nwarm_up = [5]\nwarm_up_from = 20261201",
            "warm_up_from: expected a date such as 2026-12-01, got integer",
        ),
        (
            "host = 'h'\nwarm_up = [5]\nwarm_up_from = 2026-12-01T08:00:00Z",
            "warm_up_from: expected a date such as 2026-12-01, got datetime",
        ),
        ("host = 'h'\nrate = 50", "rate: expected text or array, got integer; write it in quotes"),
        ("host = 'h'\ndomains = 'a.org'", 'domains: expected array, got text; write ["a.org"]'),
        (
            "host = 'h'\n[[relay.destination]]\ndomains = ['a.org']\nconnections = -1",
            "destination number 1 connections: expected integer >= 0",
        ),
        ("host = 'h'\ndkim_key_file = 'k'", 'key "dkim_key_file"; it belongs into [[domain]]'),
        ("host = 'h'\nenvelope = 'lists@'", '"lists@" is not one of verp, user, an address'),
        ("host = 'h'\nuser = 'u@@a.org'\nfrom = 'user'\npassword_file = 'p'", "is not an address"),
        (
            "host = 'h'\n[[domain]]\nname = 'a.org'\nowner = 'you@'",
            'owner: "you@" is not an address',
        ),
    ],
)
def test_one_mistake_is_one_line(refuse: Refuse, addition: str, told: str) -> None:
    """A wrong value is told once, with what is right; what then seems missing, or odd, is not."""
    report = refuse(f"[site]\ndomain = 'example.org'\n[[relay]]\n{addition}\n")
    assert told in report
    assert len(report.splitlines()) == 1


@pytest.mark.parametrize("date", ["2026-13-01", "2026-02-30", "2026-1-5", "1.12.2026", "12/1/26"])
def test_a_date_that_is_none_is_no_riddle(refuse: Refuse, date: str) -> None:
    """TOML knows one form of dates: whoever writes another is told the line and the form."""
    text = f"{MINIMAL}warm_up = [5]\nwarm_up_from = {date}\n"
    line = 1 + text.splitlines().index(f"warm_up_from = {date}")
    report = refuse(text)
    assert f"line {line}: warm_up_from is not a date such as 2026-12-01" in report
    assert len(report.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[relay.destination]]\ndaily = 5\n", "[[relay.destination]] stands before any [[relay]]"),
        ("[[relay.destination]]\n[[relay]]\n", "[[relay.destination]] stands before any [[relay]]"),
        ("[ relay . oauth2 ]\n[[relay]]\n", "[relay.oauth2] stands before any [[relay]]"),
        ("[source.oauth2]\nscope = 's'\n", "[source.oauth2] stands before any [[source]]"),
        ("[relay]\nhost = 'h'\n", "relay must be repeatable: write [[relay]]"),
        ("[relay]\n[[relay]]\n", "not valid TOML"),
    ],
)
def test_a_table_without_the_one_it_belongs_to(refuse: Refuse, text: str, told: str) -> None:
    """What is part of an entry, and has none above it, is told to be put below one."""
    report = refuse(f"[site]\ndomain = 'example.org'\n{text}")
    assert told in report
    assert ("put it below the [[" in report) == ("stands before" in told)
    assert len(report.splitlines()) == 1


def test_relays_without_names(refuse: Refuse) -> None:
    """Whoever named none is told what those without a name are called, in one line, together with
    all other mistakes."""
    two = "[[relay]]\nhost = 'a'\n[[relay]]\nhost = 'b'\n"
    report = refuse(f"[site]\ndomain = 'example.org'\n{two}")
    assert '[[relay]]: 2 are called "smtp", as one without a name is; give each its own' in report
    assert len(report.splitlines()) == 1
    report = refuse(f"[site]\ndomain = 'example.org'\n{two}window = 0\n")
    assert "window: expected integer >= 1" in report
    assert "2 are called" in report


def test_names_are_unique(refuse: Refuse) -> None:
    """Two relays of one name could not be told apart in the ledger or in status."""
    message = refuse(MINIMAL + '[[relay]]\nname = "out"\nhost = "h"\n')
    assert '[[relay]] "out" stands 2 times' in message


def test_a_login_needs_both_halves(refuse: Refuse) -> None:
    """A user without a password file, or the reverse, is a slip."""
    relay = '[[relay]]\nname = "b"\nhost = "h"\n'
    assert "password_file is missing" in refuse(f'{MINIMAL}{relay}user = "u"\n')
    assert "user is missing" in refuse(f'{MINIMAL}{relay}password_file = "p"\n')


def test_without_any_near_name_all_are_shown() -> None:
    """Where nothing is near, the choice is small enough to show."""
    assert nearest("zzz", ["host", "port"]) == " (there are: host, port)"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("kind = 'lmpt'", 'did you mean "lmtp"?'),
        ("kind = 'lmtp'\nfolder = 'x'", 'folder is for kind = "imap" or "maildir", and this is'),
        ("kind = 'lmtp'\nfolder = 'INBOX'", 'folder is for kind = "imap" or "maildir", and this'),
        ("kind = 'smtp'\nidle = true", 'idle is for kind = "imap", and this is "smtp"; remove it'),
        ("kind = 'smtp'\nprofile = 'gmail'", 'profile is for kind = "imap" or "pop3"'),
        ("kind = 'smtp'\nuser = 'u'", "password_file is missing; a login needs user and"),
        ("kind = 'smtp'\npassword_file = 'p'", "user is missing; a login needs user and"),
        ("kind = 'smtp'\ntls = 'starttls'", 'tls_cert_file is missing; tls = "starttls" needs'),
        ("kind = 'smtp'\ntls_key_file = 'k'", 'tls_key_file is for tls = "starttls" or'),
        (
            "kind = 'smtp'\nhost = '0.0.0.0'\nuser = 'u'\npassword_file = 'p'",
            'tls = "none" lets no client log in but from this machine; set tls =',
        ),
        ("kind = 'lmtp'\nverdict = 'now'", '"now" is not one of dialogue, later'),
        ("kind = 'lmtp'\nconnections = 0", "connections: expected integer >= 1"),
        ("kind = 'lmtp'\n[[source]]\nkind = 'lmtp'", '2 are called "lmtp", as one without a'),
        (
            "kind = 'lmtp'\nport = 8025\n[[source]]\nkind = 'smtp'",
            '"smtp" port: 8025 is that of "lmtp"; choose another',
        ),
        (
            "host = 'h'\nuser = 'u'\npassword_file = 'p'\nverdict = 'dialogue'",
            "verdict is for kind =",
        ),
    ],
)
def test_a_socket_has_its_own_settings(refuse: Refuse, source: str, told: str) -> None:
    """What a source that listens needs, and what only others have, is said by name."""
    assert told in refuse(f"[site]\ndomain = 'example.org'\n[[source]]\n{source}\n")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ('kind = "pop3"\nhost = "h"', "user is missing"),
        (POP3 + 'start = "unseen"', 'choose "now" or "all"'),
        (POP3 + 'after = "move:Done"', "is not one of seen, delete"),
        (POP3 + 'folder = "Lists"', "folder is for kind"),
        (POP3 + "idle = false", 'idle is for kind = "imap", and this is "pop3"'),
        ('kind = "maildir"', "path is missing"),
        (MAILDIR + 'user = "u"', "user is for kind"),
        (MAILDIR + 'folder = "../x"', "is not a folder such as"),
        (MAILDIR + 'after = "move:a/b"', "is not a folder such as"),
        (MAILDIR + 'after = "move:INBOX"', "it moves mail to the folder it comes from"),
        ('kind = "pipe"\nstart = "all"', "start is for kind"),
        ('kind = "pipe"\nlist = "team"', '"team" is not an address'),
        ('kind = "pipe"\nlist = "team@elsewhere.org"', 'there is no "elsewhere.org"'),
    ],
)
def test_a_source_has_the_keys_of_its_kind(refuse: Refuse, source: str, told: str) -> None:
    """What makes no sense for a kind is refused, never ignored."""
    assert told in refuse(f"[site]\ndomain = 'lists.example.org'\n[[source]]\n{source}\n")


@pytest.mark.parametrize(
    ("domain", "told"),
    [
        ('catch_all = "owner"', "the domain has none; set owner"),
        ('catch_all = "everybody"', "is not one of owner, discard, the address of a list"),
        ('catch_all = "team@other.org"', "a domain's mail stays in it"),
    ],
)
def test_a_catch_all_stays_in_its_domain(refuse: Refuse, domain: str, told: str) -> None:
    """And somebody must be there to have it."""
    assert told in refuse(f"[[domain]]\nname = 'lists.example.org'\n{domain}\n")


def test_a_field_that_no_filter_writes_is_told(load: Load) -> None:
    """It may be one of your own, so it is a warning; those that filters write give none."""
    fields = '"X-Spam-Flag", "X-Rspamd-Score", "X-MS-Exchange-Organization-SCL", "X-Foo"'
    text = MINIMAL.replace("[site]", f"[site]\nspam_headers = [{fields}]")
    (warning,) = load(text).warnings
    assert 'no filter known here writes "X-Foo"; it counts where it says Yes or No' in warning
