"""Logging in to an IMAP server: by password or by token."""

from __future__ import annotations

import base64
from typing import Any

import aioimaplib

from postroad.runtime.config import Source
from postroad.runtime.oauth import TokenError, Tokens
from services.ingest import syntax
from services.ingest.connection import Connection
from services.ingest.trouble import MailboxError, login_refused


class Account(Connection):
    """A connection that logs in as its source says; `tokens` where that is by token."""

    def __init__(self, source: Source, tokens: Tokens | None = None) -> None:
        super().__init__(source)
        self.tokens = tokens

    async def open(self) -> None:
        """Connect and log in. Raises MailboxError: `lasting` where only a person can mend it."""
        await self._token()  # without one the server need not be troubled
        await self.connect()
        await self.log_in()

    async def log_in(self) -> None:
        """Log in, unless the server takes us as we are (PREAUTH)."""
        if self._imap.state == aioimaplib.aioimaplib.AUTH:
            return
        if token := await self._token():
            await self._by_token(token)
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

    async def _by_token(self, token: str) -> None:
        if "AUTH=XOAUTH2" not in self._imap.capabilities:
            what, remedy = "the server takes no login by token", "use password_file, or check host"
            raise self._error(what, remedy, lasting=True)
        answer = await self._xoauth2(token)
        if answer.result == "OK":
            return
        error = login_refused(self.source, answer.lines[-1], token=True)
        if error.lasting:  # it may have been revoked before its time: ask for another, once
            other = await self._token(refused=token)
            if other != token:
                answer = await self._xoauth2(other)
        if answer.result != "OK":
            raise login_refused(self.source, answer.lines[-1], token=True)

    async def _token(self, refused: str = "") -> str:
        """A token, or "" where the source has a password. `refused` is one that did not do."""
        if self.source.oauth2 is None or self.tokens is None:
            return ""
        try:
            return await self.tokens.access(self.source, refused=refused)
        except TokenError as error:
            raise MailboxError(self.source, error.reason, lasting=error.lasting) from error

    async def _xoauth2(self, token: str) -> Any:
        # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
        response = _base64(f"user={self.source.user}\x01auth=Bearer {token}\x01\x01")
        return await self._run(self._imap.authenticate("XOAUTH2", response))


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())
