"""The Received field of a mail that a client brought (RFC 5321 section 4.4). Pure.

With it a loop through software that keeps nothing else of a mail ends at the rule `max-hops`. It is
no part of what the mail is known by: neither of its id nor of the digest of its body.

Members read it, as they read those of the servers before us. So it names no recipient, and of a
client that logged in, which is somebody's own program, neither the machine nor its address.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from itertools import islice

from postroad.mail.fields import fields, first_field

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,255}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hop:
    """How a mail comes: what the client calls itself, its IP address, whether it logged in, and by
    which protocol (RFC 3848). `address` is "" where it does not matter: by LMTP a server of ours
    hands the mail on."""

    name: str = ""
    address: str = ""
    login: bool = False
    protocol: str = "SMTP"


def received(hop: Hop, host: str, mail_id: str, at: datetime) -> bytes:
    """The field, folded, with its line end."""
    return (
        f"Received: from {_client(hop)}\r\n"
        f"\tby {host} with {hop.protocol} id {mail_id};\r\n"
        f"\t{format_datetime(at)}\r\n"
    ).encode("ascii")


def traced(data: bytes, trace: bytes) -> bytes:
    """The mail with this field as its first. Its own octets stay as they are, and so does its body:
    where a mail begins in white space, which would go on with our field, our header is all it has.
    """
    at = first_field(data)
    if data[at : at + 1] in (b" ", b"\t"):
        trace += b"\r\n"
    return data[:at] + trace + data[at:] if trace else data


def trace_of(data: bytes) -> bytes:
    """The first field of a mail."""
    return b"".join(data[each.start : each.end] for each in islice(fields(data), 1))


def _client(hop: Hop) -> str:
    """`mx.example.net ([192.0.2.7])`: what it calls itself, if that is a name, and what it is."""
    if hop.login:
        return "unknown"
    literal = _literal(hop.address)
    if _DOMAIN.fullmatch(hop.name) or (literal and hop.name == literal):
        name = hop.name
    else:
        name = literal or "unknown"
    return f"{name} ({literal})" if literal else name


def _literal(address: str) -> str:
    """An address as RFC 5321 section 4.1.3 writes it; "" for none."""
    if not address:
        return ""
    ip = ipaddress.ip_address(address)
    return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"
