"""The shapes of postroad.toml: one struct per section, with every default.

`config.py` loads them. Paths are absolute after loading (relative ones count from the folder of
the settings file), ports are filled in from `tls`, and durations and sizes are checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from postroad.runtime import secretfile
from postroad.runtime.errors import SettingsError
from postroad.runtime.quantities import duration, size

Tls = Literal["implicit", "starttls", "none"]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]  # 0: the usual one for this kind and tls

_SOURCE_PORTS: dict[Tls, int] = {
    "implicit": 993,
    "starttls": 143,
    "none": 143,
}  # RFC 8314, 9051
_RELAY_PORTS: dict[Tls, int] = {
    "implicit": 465,
    "starttls": 587,
    "none": 25,
}  # RFC 8314, 6409


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """[site]: who we are and where our own files live."""

    name: str = "Postroad"
    domain: str = ""  # default: the first [[domain]]
    base_url: str = ""  # default: https://<domain>
    state_dir: Path = Path("state")
    secret_file: Path | None = None  # default: <state_dir>/site.key, created on first use


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
    relay: str = ""  # default: the first [[relay]]
    owner: str = ""  # gets mail to the owners of a list that has none


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """[[source]]: a mailbox that list mail is read from."""

    name: str = "imap"
    kind: Literal["imap"] = "imap"
    host: str
    port: Port = 0
    tls: Tls = "implicit"
    user: str
    password_file: Path
    folder: str = "INBOX"
    start: Literal["now", "unseen", "all"] = "now"
    after: str = "seen"  # or "delete", or "move:FOLDER"
    poll: str = "60s"
    idle: bool = True
    domain: str = ""  # only lists of this domain; default: of every [[domain]]
    recipient_headers: tuple[str, ...] = ()
    max_size: str = "25MB"  # larger mail is refused, as an event, before it is downloaded

    def __post_init__(self) -> None:
        if not self.port:
            msgspec.structs.force_setattr(self, "port", _SOURCE_PORTS[self.tls])

    def password(self) -> str:
        """The password, read now. SettingsError when its file is missing, unreadable or empty."""
        return secretfile.read_secret(self.password_file, f'[[source]] "{self.name}" password_file')

    @property
    def poll_seconds(self) -> float:
        """The time between two looks at the mailbox, in seconds."""
        return duration(self.poll)

    @property
    def max_bytes(self) -> int:
        """The largest mail that is taken, in bytes."""
        return size(self.max_size)


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """[[relay]]: the SMTP server that takes our copies."""

    name: str = "smtp"
    kind: Literal["smtp"] = "smtp"
    host: str
    port: Port = 0
    tls: Tls = "starttls"
    user: str = ""
    password_file: Path | None = None
    connections: Annotated[int, msgspec.Meta(ge=1, le=256)] = 4
    recipients_per_transaction: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    window: Annotated[int, msgspec.Meta(ge=1, le=64)] = 16
    retry_after: str = "5m"  # to the first retry of a deferred recipient; later ones take longer

    def __post_init__(self) -> None:
        if not self.port:
            msgspec.structs.force_setattr(self, "port", _RELAY_PORTS[self.tls])

    def password(self) -> str:
        """The password, read now. SettingsError when its file is unset, missing or empty."""
        what = f'[[relay]] "{self.name}" password_file'
        if self.password_file is None:
            raise SettingsError(f"{what} is not set")
        return secretfile.read_secret(self.password_file, what)


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """[alarm]: nothing in this release (see LATER)."""


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """[telemetry]: where OpenTelemetry spans go besides the SPANS stream."""

    otlp_endpoint: str = ""
    service_namespace: str = "postroad"


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """[web]: present when https links may stand in list headers."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8080


# Settings of the contract that this release does not implement, with the one value that may be
# given because it says what happens anyway (None: no value may).
LATER: dict[str, dict[str, object]] = {
    "domain": {"dkim_key_file": None, "dkim_selector": None},
    "source": {"oauth2": None, "list": None, "authserv_id": None},
    "relay": {
        "oauth2": None,
        "weight": 1,
        "domains": None,
        "rate": None,
        "daily": None,
        "from": "any",
        "envelope": "verp",
        "null_sender": True,
        "keeps_message_id": True,
    },
    "alarm": {"command": None, "webhook": None},
}

# Values of the contract that this release does not implement: (section, key) -> values.
LATER_VALUES: dict[tuple[str, str], tuple[str, ...]] = {
    ("source", "kind"): ("pop3", "lmtp", "smtp", "maildir", "pipe"),
    ("source", "tls"): ("starttls",),
    ("relay", "kind"): ("lmtp", "http", "file"),
}
