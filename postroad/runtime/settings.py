"""The shapes of postroad.toml: one struct per section, with every default.

`config.py` loads them. Paths are absolute after loading (relative ones count from the folder of
the settings file), ports are filled in from `tls`, and durations and sizes are checked.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from postroad.runtime import secretfile
from postroad.runtime.errors import SettingsError
from postroad.runtime.quantities import duration, rate, size

Tls = Literal["implicit", "starttls", "none"]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]  # unset: the usual one for this kind and tls

_SOURCE_PORTS: dict[str, dict[Tls, int]] = {
    "imap": {"implicit": 993, "starttls": 143, "none": 143},  # RFC 8314, 9051
    "pop3": {"implicit": 995, "starttls": 110, "none": 110},  # RFC 8314, 1939
    "lmtp": {"implicit": 8024, "starttls": 8024, "none": 8024},  # ours: they need no root
    "smtp": {"implicit": 8025, "starttls": 8025, "none": 8025},
}
SOCKETS = ("lmtp", "smtp")  # the kinds of sources that listen
_RELAY_PORTS: dict[Tls, int] = {
    "implicit": 465,
    "starttls": 587,
    "none": 25,
}  # RFC 8314, 6409
_LMTP_PORT = 24  # as IANA and Dovecot have it; RFC 2033 names none


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """[site]: who we are and where our own files live."""

    name: str = "Postroad"
    domain: str = ""  # default: the first [[domain]]
    base_url: str = ""  # default: https://<domain>
    state_dir: Path = Path("state")
    secret_file: Path | None = None  # default: <state_dir>/site.key, created on first use
    erasures_file: Path | None = None  # default: <state_dir>/erasures; a restore forgets them again
    default_language: str = "en"  # of letters, where a list has no preferred_language
    letters_dir: Path | None = None  # texts and catalogs of our own for letters
    delivery_retry_period: str = "5d"  # a copy refused for now is given up after this
    header_checks: tuple[str, ...] = ()  # `hold Subject: pattern`, for mail to every list
    spam_headers: tuple[str, ...] = ()  # fields of a spam filter that are believed
    hooks: tuple[str, ...] = ()  # names of installed hooks that are asked of every post

    @property
    def erasures(self) -> Path:
        """Where is noted who was erased."""
        return self.erasures_file or self.state_dir / "erasures"

    @property
    def retry_seconds(self) -> float:
        """How long a copy is tried again, in seconds."""
        return duration(self.delivery_retry_period)


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """[broker]: the NATS server. `embedded` starts our own under state_dir."""

    url: str = "embedded"
    creds_file: Path | None = None
    replicas: Literal[1, 3, 5] = 1
    ack_wait: str = "10s"
    monitor_url: str = ""

    @property
    def embedded(self) -> bool:
        """Whether we start the server ourselves."""
        return self.url == "embedded"

    @property
    def ack_wait_seconds(self) -> float:
        """How long a message may be worked on before it is given to another worker, in seconds."""
        return duration(self.ack_wait)


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """[[domain]]: a domain that lists may live in. [site] domain is always one of them."""

    name: str
    relay: str = ""  # default: those without `domains`, by weight
    owner: str = ""  # gets mail to postmaster@ and such, and to owners of a list that has none
    catch_all: str = ""  # who gets mail to no list: "owner", "discard", a list's address; "" nobody
    dkim_key_file: Path | None = None  # private key, PEM; copies are signed where there is one
    dkim_selector: str = "postroad"
    dkim_second_key_file: Path | None = None  # a second signature: RSA and Ed25519 together
    dkim_second_selector: str = "postroad2"
    arc: bool = True  # seal posts too, where one of the keys is RSA

    @property
    def signing(self) -> tuple[tuple[str, Path, str], ...]:
        """Setting, file and selector of each key."""
        both = (
            ("dkim_key_file", self.dkim_key_file, self.dkim_selector),
            ("dkim_second_key_file", self.dkim_second_key_file, self.dkim_second_selector),
        )
        return tuple((key, path, selector) for key, path, selector in both if path is not None)


class OAuth2(msgspec.Struct, frozen=True, kw_only=True):
    """oauth2 of a source or relay: a login by token (XOAUTH2) instead of a password.

    The preset `provider` knows its URLs and scopes; `custom` wants token_url, scope and, for
    `postroad oauth login`, authorize_url or device_url. `flow` says how a token comes about:
    `login` once by a person, `client_credentials` by the program alone.
    """

    provider: Literal["google", "microsoft", "custom"]
    client_id: str
    client_secret_file: Path | None = None
    flow: Literal["login", "client_credentials"] = "login"
    tenant: str = "organizations"  # of Microsoft: a directory's id or domain
    scope: str = ""
    token_url: str = ""
    authorize_url: str = ""
    device_url: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """[[source]]: where list mail comes from. `profile` names a provider whose host, port and
    habits are known (`profiles.py`); whatever is set here wins over it.

    A mailbox at `host` (IMAP, POP3), the Maildir at `path`, what is given to `postroad mail
    take` (pipe), or what clients bring to the socket at `host` (LMTP, SMTP): there `user` is what
    they must log in with, and the certificate is the one they are shown.
    """

    name: str = ""  # default: the kind
    kind: Literal["imap", "pop3", "lmtp", "smtp", "maildir", "pipe"] = "imap"
    profile: Literal["", "gmail", "microsoft365"] = ""
    host: str = ""
    port: Port = 0
    tls: Literal["", "implicit", "starttls", "none"] = ""  # default: none for a socket
    tls_cert_file: Path | None = None  # of a socket: PEM, the whole chain
    tls_key_file: Path | None = None
    path: Path | None = None
    user: str = ""
    password_file: Path | None = None
    oauth2: OAuth2 | None = None
    folder: str = "INBOX"
    start: Literal["now", "unseen", "all"] = "now"
    after: str = "seen"  # or "delete", or "move:FOLDER"
    poll: str = "60s"
    idle: bool = True
    domain: str = ""  # only lists of this domain; default: of every [[domain]]
    list: str = ""  # whatever its To says, mail here is for this list
    recipient_headers: tuple[str, ...] = ()
    one_copy: bool = False  # the provider keeps one copy of a mail sent to several aliases
    authserv_id: str = ""  # whose Authentication-Results to believe (RFC 8601)
    max_size: str = "25MB"  # larger mail is refused before it is downloaded
    connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64  # to a socket, at once
    verdict: Literal["", "dialogue", "later"] = ""  # default: dialogue for smtp, later for lmtp

    def __post_init__(self) -> None:
        listens = self.kind in SOCKETS
        for key, default in (
            ("name", self.kind),
            ("tls", "none" if listens else "implicit"),
            ("host", "127.0.0.1" if listens else ""),
            ("verdict", "dialogue" if self.kind == "smtp" else "later"),
        ):
            if not getattr(self, key):
                msgspec.structs.force_setattr(self, key, default)
        if not self.port and self.kind in _SOURCE_PORTS:
            assert self.tls
            msgspec.structs.force_setattr(self, "port", _SOURCE_PORTS[self.kind][self.tls])

    def password(self) -> str:
        """The password, read now. SettingsError when its file is unset, missing or empty."""
        return _password(self.password_file, f'[[source]] "{self.name}" password_file')

    @property
    def poll_seconds(self) -> float:
        """The time between two looks at the mailbox, in seconds."""
        return duration(self.poll)

    @property
    def max_bytes(self) -> int:
        """The largest mail that is taken, in bytes."""
        return size(self.max_size)


Rates = str | tuple[str, ...]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """[[relay.destination]]: what recipients of some domains together may get through a relay.
    The first entry with a domain's name, or `*.` and an end of it, holds for it."""

    domains: tuple[str, ...]
    connections: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0  # 0: as many as the relay has
    rate: Rates = ""
    daily: Count = 0

    @property
    def rates(self) -> tuple[tuple[int, float], ...]:
        """How many copies in how many seconds."""
        return _rates(self.rate)


class Relay(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """[[relay]]: what takes our copies. `profile` as for a source.

    A server that speaks SMTP or LMTP at `host`, or LMTP at the socket `path`; a provider's `url`
    that mail is posted to; or a Maildir or mbox file at `path`.

    Whose copies it gets is said by `domains` (of recipients), `relay` of a [[domain]], and
    `weight` among equals; how many, by `daily`, `rate`, `warm_up` and `destination`.

    What it accepts: `from` and `envelope` may name the one address it takes (`user`: the
    address it is logged in with), `null_sender` says whether it takes `MAIL FROM:<>`, and
    `keeps_message_id` whether copies keep their Message-ID and Date on the way.
    """

    name: str = "smtp"
    kind: Literal["smtp", "lmtp", "http", "file"] = "smtp"
    profile: Literal["", "gmail", "microsoft365", "ses", "postfix"] = ""
    host: str = ""
    port: Port = 0  # of host, as tls is
    path: Path | None = None
    url: str = ""
    token_file: Path | None = None  # of url: sent as `Authorization: Bearer`
    tls: Tls = "starttls"
    user: str = ""
    password_file: Path | None = None
    oauth2: OAuth2 | None = None
    from_: str = "any"  # or "own_domain", "user", ADDRESS
    envelope: str = "verp"  # or "user", ADDRESS
    null_sender: bool = True
    keeps_message_id: bool = True
    domains: tuple[str, ...] = ()  # of recipients; "*.example.org" for those below it
    weight: Count = 1  # 0: only where no other can
    daily: Count = 0  # recipients in any 24 hours; 0: no limit
    rate: Rates = ""  # recipients in a time: "50/s"
    warm_up: tuple[Annotated[int, msgspec.Meta(ge=1)], ...] = ()  # `daily` of the first days
    warm_up_from: date | None = None
    destination: tuple[Destination, ...] = ()
    connections: Annotated[int, msgspec.Meta(ge=1, le=256)] = 32  # at most
    recipients_per_transaction: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    window: Annotated[int, msgspec.Meta(ge=1, le=64)] = 32
    retry_after: str = "5m"  # to the first retry of a deferred recipient; later ones take longer

    def __post_init__(self) -> None:
        if self.kind == "lmtp" and self.path is not None:
            msgspec.structs.force_setattr(self, "tls", "none")  # a socket of this machine
        if not self.port and self.kind in ("smtp", "lmtp") and self.path is None:
            port = _LMTP_PORT if self.kind == "lmtp" else _RELAY_PORTS[self.tls]
            msgspec.structs.force_setattr(self, "port", port)
        if self.mbox:
            msgspec.structs.force_setattr(self, "connections", 1)  # one writes at a time

    def password(self) -> str:
        """The password, read now. SettingsError when its file is unset, missing or empty."""
        return _password(self.password_file, f'[[relay]] "{self.name}" password_file')

    def token(self) -> str:
        """The token of `url`, read now; "" where there is none. SettingsError when its file is
        missing or empty."""
        if self.token_file is None:
            return ""
        return secretfile.read_secret(self.token_file, f'[[relay]] "{self.name}" token_file')

    @property
    def where(self) -> str:
        """What it is called in a line for people: host and port, or path. No query of a URL."""
        if self.path is not None:
            return str(self.path)
        if self.url:
            return urlsplit(self.url).netloc.rpartition("@")[2]
        return f"{self.host}:{self.port}"

    @property
    def mbox(self) -> bool:
        """Whether `path` is a file that all mail is appended to."""
        return self.kind == "file" and self.path is not None and self.path.suffix == ".mbox"

    @property
    def rates(self) -> tuple[tuple[int, float], ...]:
        """How many recipients in how many seconds."""
        return _rates(self.rate)

    def daily_on(self, day: date) -> int:
        """Recipients in the 24 hours up to this day (UTC), 0 for no limit."""
        if self.warm_up_from is None:
            return self.daily
        days = max(0, (day - self.warm_up_from).days)
        if days >= len(self.warm_up):
            return self.daily
        return min(self.warm_up[days], self.daily or self.warm_up[days])

    @property
    def from_address(self) -> str:
        """The only address that may stand in From, or ""."""
        return self._fixed(self.from_, ("any", "own_domain"))

    @property
    def envelope_address(self) -> str:
        """The only envelope sender there may be, or "" where each copy may have its own."""
        return self._fixed(self.envelope, ("verp",))

    def _fixed(self, value: str, others: tuple[str, ...]) -> str:
        return self.user if value == "user" else "" if value in others else value


def _rates(given: Rates) -> tuple[tuple[int, float], ...]:
    each = given.split(",") if isinstance(given, str) else given
    return tuple(rate(text) for text in each if text)


def _password(path: Path | None, what: str) -> str:
    if path is None:
        raise SettingsError(f"{what} is not set")
    return secretfile.read_secret(path, what)


def client_secret(account: Source | Relay) -> str:
    """The secret of its OAuth2 client, read now; "" where it has none. SettingsError when the
    file is missing or empty."""
    if account.oauth2 is None or account.oauth2.client_secret_file is None:
        return ""
    what = f'"{account.name}" oauth2 client_secret_file'
    return secretfile.read_secret(account.oauth2.client_secret_file, what)


class Dns(msgspec.Struct, frozen=True, kw_only=True):
    """[dns]: who is asked what the domains of authors want (DMARC)."""

    resolver: str = ""  # ADDRESS or ADDRESS:PORT, or "none"; default: the system's
    timeout: str = "3s"

    @property
    def seconds(self) -> float:
        """How long a mail waits for an answer."""
        return duration(self.timeout)


class Spamd(msgspec.Struct, frozen=True, kw_only=True):
    """[spamd]: present where SpamAssassin's spamd is shown the mail."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 783
    timeout: str = "10s"
    max_size: str = "512KB"  # larger mail is not shown to it

    @property
    def seconds(self) -> float:
        """How long a mail waits for an answer."""
        return duration(self.timeout)

    @property
    def max_bytes(self) -> int:
        """The largest mail that it is shown, in octets."""
        return size(self.max_size)


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """[alarm]: whom to tell what only a person can mend. `command` is split as a shell would,
    run without one, and given the text on standard input; `webhook` gets it as JSON by POST;
    `handlers` are names of installed functions that are called with it."""

    command: str = ""
    webhook: str = ""
    handlers: tuple[str, ...] = ()


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """[telemetry]: which spans are kept, where they go besides the SPANS stream, and where the
    monitor answers by HTTP. `sample` is the share of traces that are kept whole; what failed, or
    took as long as `slow`, is of all."""

    enabled: bool = True
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    slow: str = "1s"
    otlp_endpoint: str = ""
    service_namespace: str = "postroad"
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9464  # 0: nowhere
    allow_remote: bool = False  # a host that others can reach: there is no login
    metrics_interval: str = "30s"  # between two sendings of metrics to otlp_endpoint

    @property
    def slow_seconds(self) -> float:
        """How long a span takes that is slow."""
        return duration(self.slow)


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """[web]: present where links to leave by stand in copies; the proxy before it has the TLS."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8080
