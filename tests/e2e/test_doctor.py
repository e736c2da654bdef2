"""`postroad doctor`, whole: a healthy installation, a sick one, a dead one."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from postroad.cli.doctor.checks import CHECKS
from tests.e2e.examined import LISTS, SECRET, relay, secret, section, source, trust, write
from tests.e2e.system import System, postroad
from tests.peers.dns import Dns
from tests.peers.dovecot import Dovecot
from tests.peers.process import free_port
from tests.peers.sink import Rule, Script, Sink
from tests.peers.timeserver import TimeServer

pytestmark = pytest.mark.e2e

SECONDS = 20.0  # that the whole may take, whatever is dead
MAIL = (
    b"Delivered-To: team@example.org\r\n"
    b"Authentication-Results: mx.example.org; dkim=pass header.d=example.net\r\n"
    b"Received: from there by here; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
    b"From: anna@example.net\r\nTo: team@example.org\r\nMessage-ID: <1@posts>\r\n\r\nHello.\r\n"
)
ZONE = {
    "example.org MX": ["10 mail.example.org."],
    "mail.example.org A": ["192.0.2.1"],
    "example.org TXT": ['"v=spf1 include:spf.protection.outlook.com -all"'],
    "spf.protection.outlook.com TXT": ['"v=spf1 ip4:192.0.2.0/24 -all"'],
    "selector1._domainkey.example.org TXT": ['"v=DKIM1; k=rsa; p=MIGf"'],
    "_dmarc.example.org TXT": ['"v=DMARC1; p=quarantine"'],
}


async def test_a_healthy_installation_is_all_ok(tmp_path: Path) -> None:
    """With everything as it should be, every check is ok, and nothing anywhere is changed."""
    users = {LISTS: SECRET}
    async with (
        Dovecot.start(users) as dovecot,
        Sink.start(Script(users=users), tls="starttls") as sink,
        Dns.start(ZONE) as dns,
        TimeServer.start() as times,
    ):
        dovecot.deliver(LISTS, MAIL)
        assert sink.certificate is not None
        box = {"host": "localhost", "tls": "implicit", "authserv_id": "mx.example.org"}
        out = {"profile": "microsoft365", "host": "localhost", "tls": "starttls", "user": LISTS}
        settings = source(
            tmp_path, dovecot.tls_port, recipient_headers=["Delivered-To"], **box
        ) + relay(sink.port, password_file=secret(tmp_path), **out)
        settings += section("[[domain]]", {"name": "example.org", "owner": "you@example.net"})
        settings += section("[alarm]", {"command": "true"})
        env = {
            "SSL_CERT_FILE": trust(tmp_path, dovecot.certificate.cert, sink.certificate.cert),
            "POSTROAD_RESOLVER": dns.address,
            "POSTROAD_NTP": times.address,
        }
        async with System.start(tmp_path, settings, services=("membership",)) as road:
            await road.make_list("team@example.org", ["anna@example.net"])
            result = await road.cli("doctor", "--json", env=env)
            shown = await road.cli("doctor", env=env)
        checks = result.json["checks"]
        # Python, disk and address are the machine's that runs the tests; there is no [web], and
        # what a provider signs is not seen from here
        others = ("python", "disk", "fsync", "ptr")
        unwell = [row for row in checks if row["state"] != "ok" and row["check"] not in others]
        unwell = [
            row
            for row in unwell
            if row["rule"] not in ("unsubscribe", "one_click", "covered", "arc")
        ]
        assert unwell == []
        assert {row["check"] for row in checks} == {c.name for c in CHECKS} - {"token", "store"}
        # where tests write into memory, its disk, which keeps nothing, is rightly a failure
        failed = {row["check"] for row in checks if row["state"] == "failed"}
        assert result.code == shown.code == int(bool(failed))
        assert max(map(len, shown.out.splitlines())) <= 100
        assert not re.search(r"\b([2-9]|1\d+) warning\b", shown.out)
        assert sink.records() == []
        assert [mail.flags & {"\\Seen"} for mail in dovecot.mails(LISTS)] == [frozenset()]


async def test_a_sick_installation_is_told_with_remedies(tmp_path: Path) -> None:
    """Every trouble is a failed row with what helps, all in one run, and the exit code is 1."""
    refuses = Rule(at="mail", match="^$", reply="550 5.7.1 no")
    async with (
        Dovecot.start({LISTS: SECRET}) as dovecot,
        Sink.start(Script(rules=(refuses,))) as sink,
        Dns.start({"example.org A": ["192.0.2.1"]}) as dns,
    ):
        loose = secret(tmp_path, "wrong", "loose", mode=0o644)
        settings = (
            source(tmp_path, dovecot.port, name="wrong-password", password_file=loose)
            + source(tmp_path, dovecot.port, name="no-folder", folder="Nowhere")
            + source(tmp_path, free_port(), name="dead")
            + source(tmp_path, dovecot.tls_port, name="untrusted", host="localhost", tls="implicit")
            + relay(sink.port)
            + relay(free_port(), name="other", host="no-such-host.invalid")
            + section("[broker]", {"url": f"nats://127.0.0.1:{free_port()}"})
        )
        began = time.monotonic()
        result = await postroad(
            *("doctor", "--json", "--config", str(write(tmp_path, settings))),
            env={"POSTROAD_RESOLVER": dns.address},
        )
    assert time.monotonic() - began < SECONDS
    assert result.code == 1
    assert result.json["overall"] == "failed"
    rows = result.json["checks"]
    assert {(row["check"], row["subject"]) for row in rows if row["state"] == "failed"} >= {
        ("secrets", "postroad"),
        ("broker", "postroad"),
        ("login", "source wrong-password"),
        ("folder", "source no-folder"),
        ("connection", "source dead"),
        ("tls", "source untrusted"),
        ("senders", "relay out"),
        ("host", "relay other"),
        ("spf", "example.org"),
    }
    assert [row for row in rows if row["state"] != "ok" and not row["remedy"]] == []
    assert all("\n" not in row["finding"] + row["remedy"] for row in rows)


async def test_a_dead_world_is_told_in_time(tmp_path: Path) -> None:
    """Where nobody answers at all, no check waits for another, and all is said within 20 s."""
    async with Sink.start() as silent, Dns.start({}) as dns:
        dns.silent.add(".")
        never = Rule(at="connect", reply="")
        silent.tell(Script(rules=(never,)))
        settings = (
            source(tmp_path, silent.port)
            + source(tmp_path, silent.port, name="other", host="localhost", tls="implicit")
            + relay(silent.port)
            + relay(silent.port, name="tls", host="localhost", tls="starttls")
        )
        began = time.monotonic()
        result = await postroad(
            *("doctor", "--json", "--config", str(write(tmp_path, settings))),
            env={"POSTROAD_RESOLVER": dns.address},
        )
    assert time.monotonic() - began < SECONDS
    assert result.code == 1
    failed = {(r["check"], r["subject"]) for r in result.json["checks"] if r["state"] == "failed"}
    assert failed >= {
        *(("greeting", "source box"), ("tls", "source other")),
        *(("greeting", "relay out"), ("tls", "relay tls")),
        *((check, "example.org") for check in ("mx", "spf", "dmarc")),
    }


async def test_settings_that_cannot_be_read_end_it(tmp_path: Path) -> None:
    """Without settings there is nothing to check: one line, and the exit code 2."""
    path = tmp_path / "postroad.toml"
    path.write_text("[site\n")
    result = await postroad("doctor", "--config", str(path))
    assert (result.code, result.out) == (2, "")
    assert "is not valid TOML" in result.err
    misspelt = await postroad("doctor", "--only", "sfp", "--config", str(path))
    assert misspelt.code == 2
    assert 'did you mean "spf"?' in misspelt.err


async def test_only_some_checks_can_be_made(tmp_path: Path) -> None:
    """`--only` makes the named checks and no others."""
    path = write(tmp_path)
    result = await postroad("doctor", "--only", "python", "--json", "--config", str(path))
    assert [row["check"] for row in result.json["checks"]] == ["python"]
