"""The scripted provider does what the real ones do to who does not comply."""

from __future__ import annotations

import dataclasses

import aiosmtplib
import pytest

from tests.peers.provider import Provider
from tests.peers.providermail import field
from tests.peers.providerrules import GMAIL, MICROSOFT, POSTFIX, SES, Rules

POST = b"From: Ann <ann@example.net>\r\nMessage-ID: <1@x>\r\nDate: then\r\n\r\nhello\r\n"
ME = "me@gmail.com"


async def send(provider: Provider, sender: str, *to: str, log_in: bool = True) -> str:
    """Send POST; "" or the first refusal."""
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=provider.port, start_tls=False)
    async with client:
        try:
            if log_in and provider.rules.login:
                await client.login(provider.account, provider.password or "")
            await client.sendmail(sender, list(to), POST)
        except aiosmtplib.SMTPRecipientsRefused as error:
            return str(error.recipients[0].code)
        except aiosmtplib.SMTPResponseException as error:
            return f"{error.code} {error.message}"
    return ""


async def test_gmail_makes_everybody_the_account() -> None:
    """From and envelope become the account's; the original From is kept in a field."""
    async with Provider.start(GMAIL, account=ME) as provider:
        assert await send(provider, "ann@example.net", "bob@example.org") == ""
        (mail,) = provider.mailboxes["bob@example.org"]
        assert field(mail, "From") == f"Ann <{ME}>"
        assert field(mail, "X-Google-Original-From") == "Ann <ann@example.net>"
        assert field(mail, "Return-Path") == f"<{ME}>"
        assert field(mail, "Message-ID") == "<1@x>"


async def test_a_bounce_goes_to_the_envelope_it_saw() -> None:
    """For Gmail the account, elsewhere the sender; it quotes the fields that went out."""
    for rules, account, to in ((GMAIL, ME, ME), (POSTFIX, "", "ann@example.net")):
        async with Provider.start(rules, account=account) as provider:
            provider.dead = {"bob@example.org"}
            assert await send(provider, "ann@example.net", "bob@example.org") == ""
            (report,) = provider.mailboxes[to]
            assert field(report, "Return-Path") == "<>"
            assert b"Final-Recipient: rfc822; bob@example.org" in report
            assert b"Message-ID: <1@x>" in report
            assert not provider.mailboxes["bob@example.org"]


@pytest.mark.parametrize(("rules", "told"), [(MICROSOFT, "550 5.7.60"), (SES, "554 Message")])
async def test_others_are_refused(rules: Rules, told: str) -> None:
    """Microsoft and SES take no stranger as sender, in the envelope or in From."""
    async with Provider.start(rules, account="me@x.example") as provider:
        assert (await send(provider, "ann@example.net", "b@c.d")).startswith(told)
        assert (await send(provider, "me@x.example", "b@c.d")).startswith("554 ")
        assert (await send(provider, "", "b@c.d"))[:3] in ("550", "501")
        assert (await send(provider, "me@x.example", "b@c.d", log_in=False))[:3] == "530"
        assert not provider.records()


async def test_ses_writes_ids_anew() -> None:
    """Message-ID and Date are the server's; the books keep what was sent."""
    async with Provider.start(SES, identities=frozenset({"example.net"})) as provider:
        assert await send(provider, "ann@example.net", "b@c.d") == ""
        (mail,) = provider.mailboxes["b@c.d"]
        assert field(mail, "Message-ID").endswith("amazonses.com>")
        assert field(mail, "Date") != "then"
        assert provider.records()[0].message_id == "<1@x>"


async def test_limits_and_a_new_day() -> None:
    """Recipients of a mail, messages a minute and recipients a day; time passes when told."""
    rules = dataclasses.replace(GMAIL, daily=3, per_minute=2, recipients=2)
    async with Provider.start(rules, account=ME) as provider:
        assert await send(provider, ME, "a@x", "b@x", "c@x") == ""  # the third was refused
        assert provider.refused[-1].startswith("452 4.5.3")
        assert (await send(provider, ME, "c@x", "d@x")).startswith("550 5.4.5")
        assert (await send(provider, ME, "c@x")).startswith("421 4.7.0")
        provider.advance(minutes=1)
        assert await send(provider, ME, "c@x") == ""
        provider.advance(hours=24)
        assert await send(provider, ME, "d@x", "e@x") == ""
        assert provider.copies == 5


async def test_starttls() -> None:
    """STARTTLS under a certificate for localhost, then the login."""
    async with Provider.start(SES, tls=True, identities=frozenset({"example.net"})) as provider:
        assert provider.certificate is not None
        client = aiosmtplib.SMTP(
            hostname="localhost",
            port=provider.port,
            start_tls=True,
            cert_bundle=str(provider.certificate.cert),
        )
        async with client:
            await client.login(provider.account, provider.password or "")
            await client.sendmail("ann@example.net", ["b@c.d"], POST)
        assert provider.logins == 1
        assert len(provider.mailboxes["b@c.d"]) == 1
