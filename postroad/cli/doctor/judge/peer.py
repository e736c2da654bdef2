"""Reaching a mail server, whichever it is: its name, its port, its certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from postroad.cli.doctor.finding import Finding, failed, ok, warning

SOON_DAYS = 21  # to the end of a certificate: half of the shortest renewal of a CA's client
LOOPBACK = ("localhost", "127.0.0.1", "::1")

Fault = Literal["", "expired", "name", "untrusted", "no starttls", "no tls", "silent"]


@dataclass(frozen=True)
class Handshake:
    """How TLS went. `names` and `expires` are the certificate's where it could be read, `why`
    OpenSSL's words; one that is `untrusted` may have `expired` besides. `certificate` is DER."""

    fault: Fault = ""
    version: str = ""
    expires: datetime | None = None
    names: tuple[str, ...] = ()
    why: str = ""
    expired: bool = False
    certificate: bytes = b""


def host(subject: str, name: str, addresses: Sequence[str], problem: str) -> Finding:
    """Whether the name has an address; `problem` says why not."""
    if list(addresses) == [name]:
        return ok("host", subject, f"{name}, an address")
    if addresses:
        return ok("host", subject, f"{name} is {', '.join(addresses[:2])}")
    what = f"there is no host {name}" + (f" ({problem})" if problem else "")
    return failed("host", subject, what, "correct host; if it is right, check /etc/resolv.conf")


def connection(subject: str, where: str, problem: str) -> Finding:
    """Whether `where` (HOST:PORT) takes connections; `problem` says why not."""
    if problem:
        remedy = "check host and port, and that no firewall stops outgoing connections to it"
        return failed("connection", subject, f"{where}: {problem}", remedy)
    return ok("connection", subject, f"{where} takes connections")


def listening(subject: str, where: str, problem: str) -> Finding:
    """Whether a source of ours takes connections at `where`; `problem` says why not."""
    if problem:
        remedy = "start it with: postroad up; if it runs, postroad status says what is wrong"
        return warning("connection", subject, f"{where}: {problem}", remedy)
    return ok("connection", subject, f"clients are heard at {where}")


def unencrypted(subject: str, name: str) -> Finding:
    """No TLS: well on this machine, unwise elsewhere."""
    if name in LOOPBACK:
        return ok("tls", subject, "none, and needs none: this machine")
    remedy = 'set tls = "implicit" or "starttls"'
    return warning("tls", subject, "everything travels in the clear", remedy)


def tls(subject: str, name: str, seen: Handshake, now: datetime) -> Finding:
    """The certificate of the server called `name`."""
    match seen.fault:
        case "expired":
            ended = f" on {seen.expires:%Y-%m-%d}" if seen.expires else ""
            remedy = "renew the certificate on the server"
            return failed("tls", subject, f"the certificate has expired{ended}", remedy)
        case "name":
            holds = f"; it is for {', '.join(seen.names[:3])}" if seen.names else ""
            remedy = (
                f"set host to {seen.names[0] if seen.names else 'a name the certificate holds'}"
            )
            what = f"the certificate is not for {name}{holds}"
            return failed("tls", subject, what, remedy)
        case "untrusted":
            remedy = "use a public authority's, or name its own in SSL_CERT_FILE"
            besides = ", and it has expired" if seen.expired else ""
            renew = "renew it on the server; then " if seen.expired else ""
            what = f"the certificate is not trusted: {seen.why}{besides}"
            return failed("tls", subject, what, f"{renew}{remedy}")
        case "no starttls":
            remedy = 'set tls = "implicit" and its port (993 for IMAP, 465 for SMTP)'
            return failed("tls", subject, "the server does not offer STARTTLS", remedy)
        case "no tls":
            remedy = 'check port; 143 and 587 want tls = "starttls", 993 and 465 "implicit"'
            return failed("tls", subject, f"the server does not speak TLS here: {seen.why}", remedy)
        case "silent":
            remedy = 'check port and tls; 143 and 587 want tls = "starttls"'
            return failed("tls", subject, "the server does not answer to TLS", remedy)
    if seen.expires is None:
        return ok("tls", subject, f"{seen.version}, trusted")
    days = (seen.expires.date() - now.date()).days
    if days < SOON_DAYS:
        when = {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")
        what = f"the certificate ends {when}, on {seen.expires:%Y-%m-%d}"
        return warning("tls", subject, what, "renew it on the server; is its automatic renewal on?")
    return ok("tls", subject, f"{seen.version}, trusted, good until {seen.expires:%Y-%m-%d}")


def complaint(check: str, subject: str, line: str, remedy: str) -> Finding:
    """A failure in the words of the part that failed: what is wrong, then what helps."""
    what, _, helps = line.partition("; ")
    return failed(check, subject, what, helps or remedy)
