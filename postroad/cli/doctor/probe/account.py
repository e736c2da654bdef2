"""A mailbox or a relay from its name to its last check, and what each step comes to."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from postroad.cli.doctor.checks import REMEDIES
from postroad.cli.doctor.finding import Finding, ok, skipped
from postroad.cli.doctor.judge import peer
from postroad.cli.doctor.judge import relay as judge_relay
from postroad.cli.doctor.judge import source as judge_source
from postroad.cli.doctor.judge.broker import List
from postroad.cli.doctor.judge.limits import Share, limits
from postroad.cli.doctor.judge.ptr import ptr as judge_ptr
from postroad.cli.doctor.judge.token import Token
from postroad.cli.doctor.judge.token import token as judge_token
from postroad.cli.doctor.probe import machine, network
from postroad.cli.doctor.probe import ptr as probe_ptr
from postroad.cli.doctor.probe import token as probe_token
from postroad.cli.doctor.probe.broker import Running, Told
from postroad.cli.doctor.probe.dns import Resolver
from postroad.cli.doctor.probe.network import Kind
from postroad.runtime.config import Config, Relay, Source
from postroad.runtime.errors import PostroadError
from postroad.runtime.oauth import Tokens
from postroad.runtime.settings import SOCKETS, Tls
from services.ingest.glance import Glance
from services.ingest.pop3.account import Account as Pop3
from services.ingest.probe import Examiner
from services.ingest.trouble import MailboxError
from services.sender import probe as sender_probe
from services.sender.relay import RelayError

STEP_SECONDS = 6.0  # for one step of talking to a relay
DOMAINS = 3  # of which an envelope sender is tried at one relay


class Access:
    """How an account logs in: the tokens of the process, and whether it has one."""

    def __init__(self, config: Config, tokens: Tokens, account: Source | Relay) -> None:
        self.tokens = tokens
        self._look = functools.partial(probe_token.look, config, tokens, account)
        self._looking: asyncio.Future[Token] | None = None

    @property
    def token(self) -> asyncio.Future[Token]:
        """What is known of the token, asked once."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look())
        return asyncio.shield(self._looking)


async def examine_source(
    config: Config, source: Source, access: Access, running: Running
) -> AsyncIterator[Finding]:
    """Every check of a mailbox, until one fails that the rest needs; whether a socket listens."""
    subject = f"source {source.name}"
    assert source.tls
    if source.kind in SOCKETS:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(source.host, source.host)  # noqa: S104
        streams = await network.connect([host], source.port)
        if not isinstance(streams, str):
            streams[1].transport.abort()
        problem = streams if isinstance(streams, str) else ""
        yield peer.listening(subject, f"{host}:{source.port}", problem)
        return
    if source.kind == "maildir":
        seen, problem = await asyncio.to_thread(machine.maildir, source)
        yield judge_source.maildir(source, seen.mails, problem)
        if not problem:
            yield judge_source.start(source, seen, contacted=await _contacted(source, running))
        return
    if source.kind == "pop3":
        async for finding in _examine_pop3(source, access, running):
            yield finding
        return
    async for finding in _reached(subject, "imap", source.host, source.port, source.tls):
        yield finding
    examiner = Examiner(source, access.tokens)
    healthy = False
    check = "greeting"
    try:
        await examiner.connect()
        yield ok("greeting", subject, "speaks IMAP")
        check = "login"
        if (await access.token).problem:
            yield _no_token(subject)
            return
        await examiner.log_in()
        yield ok("login", subject, "by token" if source.oauth2 else "by password")
        yield judge_source.capabilities(source, examiner.capabilities)
        check = "folder"
        seen = await examiner.glance()
        healthy = True
    except PostroadError as error:
        line = error.what if isinstance(error, MailboxError) else str(error)
        yield peer.complaint(check, subject, line, REMEDIES[check])
        return
    finally:
        await examiner.close(politely=healthy)
    yield judge_source.folder(source, seen)
    yield judge_source.start(source, seen, contacted=await _contacted(source, running))
    yield judge_source.authserv_id(source, [*seen.older, *seen.newest])
    domains = {domain.name for domain in config.domain}
    yield judge_source.recipient_headers(source, seen.newest, domains)


async def _examine_pop3(source: Source, access: Access, running: Running) -> AsyncIterator[Finding]:
    """The same of POP3, as far as it goes; nothing is read or deleted."""
    subject = f"source {source.name}"
    assert source.tls
    async for finding in _reached(subject, "pop3", source.host, source.port, source.tls):
        yield finding
    account = Pop3(source, access.tokens)
    check = "greeting"
    try:
        await account.connect()
        yield ok("greeting", subject, "speaks POP3")
        check = "login"
        if (await access.token).problem:
            yield _no_token(subject)
            return
        await account.log_in()
        yield ok("login", subject, "by token" if source.oauth2 else "by password")
        check = "capabilities"
        mails = await account.mails()
        await account.quit()
    except PostroadError as error:
        line = error.what if isinstance(error, MailboxError) else str(error)
        yield peer.complaint(check, subject, line, REMEDIES[check])
        return
    finally:
        account.abort()
    yield judge_source.unique_ids(source, len(mails), sum(not mail.uidl for mail in mails))
    seen = Glance(mails=len(mails))
    yield judge_source.start(source, seen, contacted=await _contacted(source, running))


async def _contacted(source: Source, running: Running) -> bool | None:
    """Whether its first contact has been; None where nobody can tell."""
    known = await running.told()
    return source.name in known.contacted if known.broker.running else None


async def examine_relay(
    config: Config, relay: Relay, access: Access, running: Running, resolver: Resolver
) -> AsyncIterator[Finding]:
    """Every check of a relay, until one fails that the rest needs."""
    subject = f"relay {relay.name}"
    if relay.kind == "file":
        yield judge_relay.store(relay, machine.writable(relay))
        yield _limits(config, relay, await running.told())
        return
    if relay.kind == "http":
        async for finding in _examine_url(relay, subject):
            yield finding
        yield _limits(config, relay, await running.told())
        return
    if relay.path is None:
        async for finding in _reached(subject, relay.kind, relay.host, relay.port, relay.tls):
            yield finding
    speaks = f"speaks {relay.kind.upper()}"
    if (await access.token).problem:
        yield _no_token(subject)
        return
    try:
        senders = _senders(config, relay)
        tried = await sender_probe.ask(relay, senders, STEP_SECONDS, access.tokens)
    except PostroadError as error:
        line = str(error).removeprefix(f"relay {relay.where} ")
        at_login = not isinstance(error, RelayError) or error.name in ("login", "token")
        if at_login:
            yield ok("greeting", subject, speaks)
        check = "login" if at_login else "greeting"
        yield peer.complaint(check, subject, line, REMEDIES[check])
        return
    yield ok("greeting", subject, speaks)
    how = "by token" if relay.oauth2 else "by password" if relay.user else "none set, none asked"
    yield ok("login", subject, how)
    largest = max((source.max_bytes for source in config.source), default=judge_relay.SMALL)
    yield judge_relay.extensions(relay, tried.offers, largest)
    for finding in judge_relay.senders(relay, senders, tried.answers):
        yield finding
    seen = await probe_ptr.reverse(resolver, tried.hello, tried.own)
    yield judge_ptr(relay.name, seen, logs_in=bool(relay.user))
    yield _limits(config, relay, await running.told())


async def examine_token(
    subject: str, account: Source | Relay, access: Access
) -> AsyncIterator[Finding]:
    """The token of an account with oauth2, which needs nothing else to be well."""
    yield judge_token(subject, account, await access.token, datetime.now(UTC))


async def _examine_url(relay: Relay, subject: str) -> AsyncIterator[Finding]:
    """Where mail is posted to; asked with OPTIONS, so that nothing is sent."""
    from services.sender import httprelay

    url = urlsplit(relay.url)
    tls: Tls = "implicit" if url.scheme == "https" else "none"
    port = url.port or (443 if tls == "implicit" else 80)
    async for finding in _reached(subject, "http", url.hostname or "", port, tls):
        yield finding
    try:
        status = await httprelay.ask(relay, STEP_SECONDS)
    except PostroadError as error:
        line = str(error).removeprefix(f"relay {relay.where} ")
        yield peer.complaint("login", subject, line, "check token_file")
        return
    yield judge_relay.token(relay, status)


async def _reached(
    subject: str, kind: Kind, host: str, port: int, tls: Tls
) -> AsyncIterator[Finding]:
    """Name, port, certificate."""
    hosts, problem = await network.addresses(host)
    yield peer.host(subject, host, hosts, problem)
    streams = await network.connect(hosts, port)
    if not isinstance(streams, str):
        streams[1].transport.abort()
    yield peer.connection(subject, f"{host}:{port}", streams if isinstance(streams, str) else "")
    if tls == "none":
        yield peer.unencrypted(subject, host)
    else:
        seen = await network.handshake(hosts, port, host, kind, starttls=tls == "starttls")
        yield peer.tls(subject, host, seen, datetime.now(UTC))


def _no_token(subject: str) -> Finding:
    return skipped("login", subject, "there is no token to log in with", "mend token first")


def _senders(config: Config, relay: Relay) -> list[str]:
    """The envelope senders that it will have to take."""
    null = [judge_relay.NULL] if relay.null_sender else []
    if relay.envelope_address:
        return [relay.envelope_address, *null]
    domains = [each.name for each in config.domain if relay in config.relays_of(each)]
    return [*(f"postroad-doctor@{domain}" for domain in domains[:DOMAINS]), *null]


def _limits(config: Config, relay: Relay, told: Told) -> Finding:
    shares = list(_shares(config, relay, told.lists or ()))
    return limits(relay, datetime.now(UTC).date(), shares, told.senders)


def _shares(config: Config, relay: Relay, lists: Sequence[List]) -> Iterator[Share]:
    """How many of each list's members this relay may get, by weight. Not known where a relay is
    for some recipients' domains only: nobody has counted the members there."""
    domains = {domain.name: domain for domain in config.domain}
    for one in lists:
        domain = domains.get(one.address.rpartition("@")[2])
        equals = config.relays_of(domain) if domain else ()
        if relay in equals and not any(each.domains for each in equals):
            whole = sum(each.weight for each in equals)
            yield Share(one.address, one.members * relay.weight // max(whole, 1))
