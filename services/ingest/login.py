"""Logging in to an IMAP server: by password or by token."""

from __future__ import annotations

import base64
from typing import Any

import aioimaplib

from postroad.runtime.config import Source
from postroad.runtime.oauth import Tokens
from services.ingest import syntax
from services.ingest.connection import Connection
from services.ingest.opening import token
from services.ingest.trouble import MailboxError, login_refused


class Account(Connection):
    """A connection that logs in as its source says; `tokens` where that is by token."""

    def __init__(self, source: Source, tokens: Tokens | None = None) -> None:
        super().__init__(source)
        self.tokens = tokens

    async def open(self) -> None:
        """Connect and log in. Raises MailboxError: `lasting` where only a person can mend it."""
        await token(self.source, self.tokens)  # without one the server need not be troubled
        await self.connect()
        await self.log_in()

    async def log_in(self) -> None:
        """Log in, unless the server takes us as we are (PREAUTH)."""
        if self._imap.state == aioimaplib.aioimaplib.AUTH:
            return
        if shown := await token(self.source, self.tokens):
            await self._by_token(shown)
        else:
            await self._by_password()
        await self.ask_capabilities()

    async def _by_password(self) -> None:
        user, password = self.source.user, self.source.password()
        plain = "AUTH=PLAIN" in self._imap.capabilities
        if user.isascii() and password.isascii():
            if "LOGINDISABLED" in self._imap.capabilities:
                raise self._login_disabled()
            self._argument("password_file", password, syntax.quote)  # aioimaplib quotes it itself
            login = self._imap.login(self._argument("user", user, syntax.quote), password)
        elif plain:  # a quoted string is ASCII (RFC 3501 section 9)
            login = self._imap.authenticate("PLAIN", _base64(f"\0{user}\0{password}"))  # RFC 4616
        else:
            raise self._error("the server takes only ASCII in user and password", lasting=True)
        answer = await self._run(login)
        if answer.result != "OK":
            raise login_refused(self.source, answer.lines[-1])

    def _login_disabled(self) -> MailboxError:
        if self.source.tls == "none":
            what, remedy = "the server takes no password without TLS", 'set tls = "implicit"'
        else:
            what, remedy = "the server takes no password", "use oauth2"
        return self._error(what, remedy, lasting=True)

    async def _by_token(self, shown: str) -> None:
        if "AUTH=XOAUTH2" not in self._imap.capabilities:
            what, remedy = "the server takes no login by token", "use password_file, or check host"
            raise self._error(what, remedy, lasting=True)
        answer = await self._xoauth2(shown)
        if answer.result == "OK":
            return
        error = login_refused(self.source, answer.lines[-1], token=True)
        if error.lasting:  # it may have been revoked before its time: ask for another, once
            other = await token(self.source, self.tokens, refused=shown)
            if other != shown:
                answer = await self._xoauth2(other)
        if answer.result != "OK":
            raise login_refused(self.source, answer.lines[-1], token=True)

    async def _xoauth2(self, shown: str) -> Any:
        # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
        response = _base64(f"user={self.source.user}\x01auth=Bearer {shown}\x01\x01")
        return await self._run(self._imap.authenticate("XOAUTH2", response))


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())
