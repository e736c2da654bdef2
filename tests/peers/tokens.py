"""An OAuth2 provider on loopback: consents to everything, and can do everything wrong.

    async with TokenServer.start() as provider:
        settings = f'oauth2 = {provider.oauth2("google")}'     # google's ways, these URLs
        log_in(config, provider)                               # as if people had, for all accounts
        provider.expire()                                      # every access token, now
        provider.fault = "invalid_grant"                       # until it is "" again
        provider.rotate, provider.lifetime, provider.delay, provider.status, provider.clock = ...
        provider.drip = 0.5                                # a line of header so often, without end

It runs in a thread of its own, so that it also answers while a test blocks. Endpoints: /authorize
(a redirect at once), /device, /token (PKCE is checked; authorization_code, device_code,
refresh_token, client_credentials) and /introspect, as Dovecot's `introspection_mode` post asks it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from postroad.runtime.config import Config, Relay, Source
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.store import Login, Store

USER = "lists@example.org"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
Answer = tuple[int, dict[str, Any]]


@dataclass
class Access:
    """An access token that was given out."""

    user: str
    ends: float  # by the monotonic clock


@dataclass
class TokenServer:
    """A running provider. Whatever is not in capitals may be changed at any time."""

    port: int = 0
    client_id: str = "postroad-test"
    client_secret: str = ""  # asked for when not empty
    user: str = USER  # who consents, unless login_hint names somebody else
    scope: str = ""  # what is granted instead of what was asked for
    lifetime: float = 3600.0
    rotate: bool = False  # a refresh gives a new refresh token, and the old one dies
    offline: bool = True  # whether a login gives a refresh token at all
    deny: bool = False  # nobody consents
    fault: str = ""  # the error that every question to /token is answered with
    description: str = "about lists@example.org"  # names people, as Microsoft's does
    status: int = 0  # the status that every question to /token is answered with, and no JSON
    delay: float = 0.0  # seconds before each answer of /token
    drip: float = 0.0  # seconds between the lines of a head of /token that never ends
    clock: float = 0.0  # how far our clock is off, in seconds
    pending: int = 0  # how often a device is told to go on asking
    slow_down: int = 0  # how often it is told to ask less often
    interval: float = 0.1  # seconds between its questions
    code_seconds: float = 900.0  # that its code is good for
    asked: list[str] = field(default_factory=list)  # the grant types of all questions to /token
    refreshes: int = 0  # refreshes that gave a token
    replayed: int = 0  # refresh tokens that were dead when they came
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _devices: dict[str, str] = field(default_factory=dict)
    _refresh: dict[str, str] = field(default_factory=dict)
    _access: dict[str, Access] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, **settings: Any) -> AsyncIterator[TokenServer]:
        """A provider until the context ends."""
        server = cls(**settings)
        running, stop = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()
        thread = threading.Thread(
            target=lambda: loop.run_until_complete(server._serve(running, stop)), daemon=True
        )
        thread.start()
        try:
            assert running.wait(10)
            yield server
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()

    # --- where it is, and what it gave out ------------------------------------------------------

    def url(self, path: str) -> str:
        """The URL of an endpoint."""
        return f"http://127.0.0.1:{self.port}/{path}"

    @property
    def introspection_url(self) -> str:
        """For Dovecot's oauth2 passdb."""
        return self.url("introspect")

    def oauth2(self, provider: str = "custom", **extra: str) -> str:
        """An inline table of settings: `provider` with our URLs."""
        table = {
            "provider": provider,
            "client_id": self.client_id,
            "token_url": self.url("token"),
            "authorize_url": self.url("authorize"),
            "device_url": self.url("device"),
            **extra,
        }
        return "{ " + ", ".join(f'{key} = "{text}"' for key, text in table.items() if text) + " }"

    def valid(self, token: str) -> bool:
        """Whether an access token is good now."""
        return bool(self.user_of(token))

    def user_of(self, token: str) -> str:
        """Whose access token it is; "" when it is not good."""
        access = self._access.get(token)
        return access.user if access and access.ends > time.monotonic() else ""

    def refresh_token(self, user: str = USER) -> str:
        """A new refresh token, as a login gives."""
        token = f"refresh-{secrets.token_urlsafe(16)}"
        self._refresh[token] = user
        return token

    def access_token(self, user: str = USER) -> str:
        """A new access token, as a login gives."""
        token = f"access-{secrets.token_urlsafe(16)}"
        self._access[token] = Access(user, time.monotonic() + self.lifetime)
        return token

    def expire(self) -> None:
        """Every access token ends now, long before its time."""
        self._access.clear()

    def revoke(self) -> None:
        """All tokens are void, and so are the logins."""
        self._refresh.clear()
        self._access.clear()

    # --- endpoints ------------------------------------------------------------------------------

    def _token(self, form: dict[str, str]) -> Answer:
        grant = form.get("grant_type", "")
        if self.fault:
            return self._error(self.fault)
        known = form.get("client_id") == self.client_id
        if not known or form.get("client_secret", "") != self.client_secret:
            return self._error("invalid_client", 401)
        match grant:
            case "authorization_code":
                return self._redeem(form)
            case "refresh_token":
                return self._renew(form.get("refresh_token", ""))
            case "client_credentials":
                return self._granted(self.user, lasting=False)
        return self._poll(form) if grant == DEVICE_CODE else self._error("unsupported_grant_type")

    def _redeem(self, form: dict[str, str]) -> Answer:
        code = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            code is None
            or code.get("code_challenge") != challenge
            or code.get("redirect_uri") != form.get("redirect_uri")
        ):
            return self._error("invalid_grant")
        return self._granted(code.get("login_hint") or self.user)

    def _renew(self, refresh: str) -> Answer:
        user = self._refresh.get(refresh)
        if user is None:
            self.replayed += 1
            return self._error("invalid_grant")
        self.refreshes += 1
        if self.rotate:
            del self._refresh[refresh]
        return self._granted(user, lasting=self.rotate)

    def _poll(self, form: dict[str, str]) -> Answer:
        user = self._devices.get(form.get("device_code", ""))
        if user is None:
            return self._error("expired_token")
        if self.deny:
            return self._error("access_denied")
        if self.slow_down:
            self.slow_down -= 1
            return self._error("slow_down")
        if self.pending:
            self.pending -= 1
            return self._error("authorization_pending")
        return self._granted(self._devices.pop(form["device_code"]))

    def _granted(self, user: str, *, lasting: bool = True) -> Answer:
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "access_token": self.access_token(user),
            "expires_in": self.lifetime,
            "expires_on": str(int(time.time() + self.clock + self.lifetime)),
        }
        if lasting and self.offline:
            answer["refresh_token"] = self.refresh_token(user)
        if self.scope:
            answer["scope"] = self.scope
        return 200, answer

    def _device(self, form: dict[str, str]) -> Answer:
        if form.get("client_id") != self.client_id:
            return self._error("invalid_client", 401)
        code = secrets.token_urlsafe(16)
        self._devices[code] = self.user
        return 200, {
            "device_code": code,
            "user_code": "BCDF-GHJK",
            "verification_uri": self.url("activate"),
            "expires_in": self.code_seconds,
            "interval": self.interval,
        }

    def _authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent."""
        back = {"state": query.get("state", "")}
        good = query.get("client_id") == self.client_id
        good = good and query.get("code_challenge_method") == "S256"
        if good and not self.deny:
            back["code"] = secrets.token_urlsafe(16)
            self._codes[back["code"]] = query
        else:
            back["error"] = "access_denied" if good else "invalid_request"
        return f"{query.get('redirect_uri', '')}?{urlencode(back)}"

    def _introspect(self, token: str) -> Answer:
        user = self.user_of(token)
        return 200, {"active": True, "username": user} if user else {"active": False}

    def _error(self, error: str, status: int = 400) -> Answer:
        return status, {"error": error, "error_description": self.description}

    # --- HTTP -----------------------------------------------------------------------------------

    async def _serve(self, running: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        running.set()
        await stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # connections close in the next turn

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = contextlib.suppress(OSError, EOFError, asyncio.CancelledError)
        with contextlib.closing(writer), ends:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            fields = {
                name.lower(): text.strip()
                for name, _, text in (line.partition(":") for line in lines[1:])
            }
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            if self.drip and "/token" in lines[0]:
                await self._drip(writer)
            writer.write(await self._respond(lines[0].split(" ")[1], body.decode()))
            await writer.drain()

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        """Answer, for as long as anybody listens."""
        self.asked.append("")
        writer.write(b"HTTP/1.1 200 Told\r\n")
        while not writer.is_closing():
            writer.write(b"X-Told: more\r\n")
            await writer.drain()
            await asyncio.sleep(self.drip)
        raise ConnectionError

    async def _respond(self, target: str, body: str) -> bytes:
        url = urlsplit(target)
        query, form = dict(parse_qsl(url.query)), dict(parse_qsl(body))
        match url.path:
            case "/authorize":
                return self._http(302, b"", f"Location: {self._authorize(query)}\r\n")
            case "/device":
                return self._json(self._device(form))
            case "/introspect":
                return self._json(self._introspect(form.get("token", "")))
            case "/token":
                self.asked.append(form.get("grant_type", ""))
                await asyncio.sleep(self.delay)
                if self.status:
                    return self._http(self.status, b"<html>Sorry</html>")
                return self._json(self._token(form))
        return self._http(404, b"nothing here")

    def _json(self, answer: Answer) -> bytes:
        return self._http(answer[0], json.dumps(answer[1]).encode())

    def _http(self, status: int, body: bytes, more: str = "") -> bytes:
        head = (
            f"HTTP/1.1 {status} Told\r\nDate: {formatdate(time.time() + self.clock, usegmt=True)}"
            f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + body


def log_in(config: Config, server: TokenServer, user: str = USER) -> None:
    """Store a login for every account that wants one, as `postroad oauth login` does."""
    store = Store(config.site.state_dir)
    accounts: list[Source | Relay] = [*config.source, *config.relay]
    for account in accounts:
        if account.oauth2 is not None and account.oauth2.flow == "login":
            login = Login(refresh_token=server.refresh_token(user), since=time.time())
            store.write(identity(account), login)
