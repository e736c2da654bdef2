"""A domain with a key: what reaches members is signed and sealed, as other programs see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.system import MAILBOX, System, imap_source, mail, smtp_relay
from tests.peers.dovecot import Dovecot
from tests.peers.records import Record
from tests.peers.signingkeys import RSA_FILE, rsa_key
from tests.peers.sink import Sink
from tests.peers.verifiers import dkimpy

pytestmark = pytest.mark.e2e

KEY = rsa_key("example.org", "lists2026")
FOUND = (
    b"Authentication-Results: mx.example.org; dkim=pass header.d=example.net;\r\n"
    b"\tspf=pass smtp.mailfrom=anna@example.net\r\n"
)
FORGED = b"Authentication-Results: mx.example.org; dkim=pass header.d=bank.example\r\n"


def _kept(record: Record) -> bytes:
    return Path(record.file).read_bytes()


async def test_copies_are_signed_and_sealed(tmp_path: Path) -> None:
    """Each member's copy verifies, its way out is covered, and the seal says what the server named
    in authserv_id found, and nothing that an author wrote in its name."""
    password, key = tmp_path / "password", tmp_path / "dkim.pem"
    password.write_text("secret\n")
    key.write_bytes(RSA_FILE.read_bytes())
    for file in (password, key):
        file.chmod(0o600)
    domain = f"""
[[domain]]
name = "example.org"
dkim_key_file = "{key}"
dkim_selector = "lists2026"
"""
    with dkimpy() as verify:
        async with (
            Dovecot.start({MAILBOX: "secret"}) as dovecot,
            Sink.start(keep=True) as sink,
        ):
            source = imap_source(dovecot.port, MAILBOX, password, authserv_id='"mx.example.org"')
            async with System.start(tmp_path, source + smtp_relay(sink.port) + domain) as road:
                await road.make_list("team@example.org", ["a@example.com", "b@example.com"])
                dovecot.deliver(MAILBOX, FOUND + FORGED + mail(1))
                copies = [(each, _kept(each)) for each in await sink.wait_for(2)]
        for record, copy in copies:
            found = verify(copy, {KEY.name: KEY.record})
            assert (found.dkim, found.arc) == ([True], "pass"), found
            assert ":list-unsubscribe:" in "".join(record.headers.split())
            assert b"bank.example" not in copy
            attested = record.headers.partition("ARC-Authentication-Results: ")[2]
            wanted = "i=1; mx.example.org; dkim=pass header.d=example.net; spf=pass"
            assert " ".join(attested.split()).startswith(
                f"{wanted} smtp.mailfrom=anna@example.net D"
            )
