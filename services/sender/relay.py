"""Reaching a relay: connect, TLS, EHLO, AUTH, by aiosmtplib; and what goes wrong, in words.

Certificates are verified and names checked, always. A private authority is trusted by the
environment variable SSL_CERT_FILE, as everywhere with OpenSSL.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import Literal, cast

import aiosmtplib

from postroad.runtime.config import Relay
from postroad.runtime.errors import PostroadError
from postroad.runtime.oauth import TokenError, Tokens
from services.sender.redact import redact
from services.sender.transaction import Offers

# With TLS the password is safe as it is; CRAM-MD5 fails where servers keep only hashes.
_METHODS = {True: ("plain", "login", "cram-md5"), False: ("cram-md5", "plain", "login")}

# What helps against a refused login, by words of the refusal in lower case; the first that fits.
_REMEDIES = (
    ("smtpclientauthentication is disabled", "allow SMTP AUTH for this mailbox at Microsoft"),
    ("application-specific password", "create an app password at Google and put it there"),
    ("basic authentication is disabled", "set oauth2 instead of password_file"),
    ("web browser", "sign in to the account with a browser once, then try again"),
)

Problem = Literal["unreachable", "tls", "greeting", "login", "token"]


class RelayError(PostroadError):
    """A relay cannot be used: says which (`Relay.where`), why, and how to mend it.

    `name` is unreachable, tls, greeting, login or token. The scope is always the relay: everything
    stays pending and nobody is to blame. `kind` is deferred where waiting may help and failed
    where somebody must act first.
    """

    scope: Literal["relay"] = "relay"

    def __init__(
        self,
        relay: Relay,
        name: Problem,
        problem: str,
        kind: Literal["deferred", "failed"] = "failed",
    ) -> None:
        super().__init__(f"relay {relay.where} {problem}")
        self.name = name
        self.kind = kind


async def reach(
    relay: Relay, timeout: float, tokens: Tokens | None = None
) -> tuple[asyncio.Transport, Offers]:
    """A transport to the relay, ready for MAIL, and what the relay offers.

    `timeout` in seconds for each step. Raises RelayError, and SettingsError where the
    password file is missing.
    """
    if relay.oauth2 is not None and tokens is not None:
        secret = await _token(relay, tokens)  # without one there is no use in connecting
    else:
        secret, tokens = relay.password() if relay.user else "", None
    socket_ = relay.path is not None  # of this machine, with LMTP behind it
    client = (_Lmtp if relay.kind == "lmtp" else aiosmtplib.SMTP)(
        hostname=None if socket_ else relay.host,
        port=None if socket_ else relay.port,
        socket_path=relay.path,
        use_tls=relay.tls == "implicit",
        start_tls=False,
        local_hostname="localhost",  # until the socket can tell
        timeout=timeout,
    )
    try:
        await client.connect()
        client.local_hostname = own_name(client.get_transport_info("sockname"))
        await _greet(client)
        if relay.tls == "starttls":
            await client.starttls()
            await _greet(client)
        if tokens is not None:
            await _log_in_by_token(client, relay, tokens, secret)
        elif relay.user:
            await _log_in(client, relay, secret)
        transport = client.transport
        if transport is None or transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
    except BaseException as error:
        client.close()
        if isinstance(error, (aiosmtplib.SMTPException, OSError)):
            raise _explained(relay, error, timeout) from None
        raise
    offers = Offers.of(client.esmtp_extensions, each=relay.kind == "lmtp")
    client.protocol = client.transport = None  # the transport is ours now
    return cast("asyncio.Transport", transport), offers  # uvloop's is one in all but name


class _Lmtp(aiosmtplib.SMTP):
    """LMTP says LHLO (RFC 2033 section 4.1)."""

    async def ehlo(self, **_: object) -> aiosmtplib.SMTPResponse:
        """Greet; the answer is that to EHLO."""
        assert self.local_hostname is not None
        response = await self.execute_command(b"LHLO", self.local_hostname.encode("ascii"))
        if response.code != 250:
            raise aiosmtplib.SMTPHeloError(response.code, response.message)
        self.last_ehlo_response = response
        return response

    helo = ehlo  # there is no other


async def _greet(client: aiosmtplib.SMTP) -> None:
    """EHLO; HELO to a server that does not know it (RFC 5321 section 3.2)."""
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code not in (500, 502, 504):
            raise
        await client.helo()


async def _log_in(client: aiosmtplib.SMTP, relay: Relay, password: str) -> None:
    """Try the methods that server and we know; one refusal of the password is enough."""
    encrypted = client.get_transport_info("sslcontext") is not None
    methods = [name for name in _METHODS[encrypted] if name in client.server_auth_methods]
    if not methods:
        remedy = (
            "remove user" if encrypted else 'set tls = "starttls" or "implicit", or remove user'
        )
        raise RelayError(relay, "login", f"offers no login by password: {remedy}")
    for method in methods:
        log_in = getattr(client, f"auth_{method.replace('-', '')}")
        try:
            await log_in(relay.user, password)
            return
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code == 535 or 400 <= error.code < 500 or method == methods[-1]:
                raise


async def _log_in_by_token(
    client: aiosmtplib.SMTP, relay: Relay, tokens: Tokens, token: str
) -> None:
    """XOAUTH2. A token may be turned down before its time: then another one is tried, once."""
    if "xoauth2" not in client.server_auth_methods:
        told = 'tls = "starttls" or "implicit"' if relay.tls == "none" else "password_file"
        raise RelayError(relay, "login", f"offers no login by token (XOAUTH2): set {told}")
    try:
        await client.auth_xoauth2(relay.user, token)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code != 535:
            raise
        await client.auth_xoauth2(relay.user, await _token(relay, tokens, refused=token))


async def _token(relay: Relay, tokens: Tokens, refused: str = "") -> str:
    try:
        return await tokens.access(relay, refused=refused)
    except TokenError as error:
        kind: Literal["deferred", "failed"] = "failed" if error.lasting else "deferred"
        raise RelayError(relay, "token", f"cannot be logged in to: {error.reason}", kind) from None


def own_name(sockname: object) -> str:
    """This host's name if it is a full one, else its address literal (RFC 5321 4.1.4)."""
    name = socket.gethostname()
    if "." in name or not isinstance(sockname, tuple):  # a socket of this machine has no address
        return name
    address = str(sockname[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _explained(relay: Relay, error: Exception, timeout: float) -> RelayError:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    match cause:
        case ssl.SSLCertVerificationError():
            return RelayError(
                relay,
                "tls",
                f"has a certificate that cannot be trusted: {cause.verify_message.rstrip('.')};"
                " set host to the name in its certificate, or SSL_CERT_FILE to its authority",
            )
        case ssl.SSLError():
            other = "none" if relay.tls == "starttls" else "starttls"
            return RelayError(
                relay, "tls", f'does not speak TLS here ({cause.reason}): try tls = "{other}"'
            )
        case aiosmtplib.SMTPAuthenticationError(code=code) if code < 500:
            return RelayError(relay, "login", f"cannot log us in now: {_said(cause)}", "deferred")
        case aiosmtplib.SMTPAuthenticationError():
            return RelayError(
                relay, "login", f"refused the login: {_said(cause)}; {_remedy(relay, cause)}"
            )
        case aiosmtplib.SMTPResponseException(code=code):
            kind: Literal["deferred", "failed"] = "deferred" if code < 500 else "failed"
            return RelayError(relay, "greeting", f"turned us away: {_said(cause)}", kind)
        case TimeoutError():
            hint = ' (port 465 wants tls = "implicit")' if relay.tls != "implicit" else ""
            return RelayError(
                relay, "unreachable", f"did not answer within {timeout:g} s{hint}", "deferred"
            )
        case aiosmtplib.SMTPServerDisconnected():
            return RelayError(relay, "unreachable", "closed the connection", "deferred")
        case OSError():
            return RelayError(
                relay,
                "unreachable",
                f"cannot be reached: {_reason(cause)}; check {_place(relay)}",
                "deferred",
            )
        case _:  # of what we ask, only this is refused without a reply
            return RelayError(
                relay, "tls", 'does not offer STARTTLS: set tls = "implicit" or "none"'
            )


def _place(relay: Relay) -> str:
    return "host and port" if relay.path is None else "path"


def _reason(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own text names addresses instead
    return error.strerror or str(error)


def _remedy(relay: Relay, error: aiosmtplib.SMTPResponseException) -> str:
    said = error.message.lower()
    for words, remedy in _REMEDIES:
        if words in said:
            return remedy
    if relay.oauth2 is not None:
        return f"check user, or run: postroad oauth login {relay.name}"
    return "check user and password_file"


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return redact(f"{error.code} {error.message}")
