"""What can be wrong with a mailbox, as one clear line: which source, what, and what to do."""

from __future__ import annotations

import re
import socket
import ssl

from postroad.runtime.config import Source
from postroad.runtime.errors import PostroadError


class MailboxError(PostroadError):
    """The mailbox of a source cannot be used now.

    `lasting` marks what only a person can mend (a password, a name): trying again soon is no
    use and may lock an account. `passing` marks what the server says of itself: no mail is at
    fault. No address and no text of the server is part of the line.
    """

    passing = False

    def __init__(
        self, source: Source, what: str, remedy: str = "", *, lasting: bool = False
    ) -> None:
        self.what = f"{what}; {remedy}" if remedy else what
        super().__init__(f'[[source]] "{source.name}": {self.what}')
        self.lasting = lasting


class Refused(MailboxError):
    """The server said no to one command; the connection is as good as before."""


def closed(source: Source, farewell: bytes) -> MailboxError:
    """The connection is gone; `farewell` is the server's BYE, if it sent one."""
    what = "the server closed the connection"
    for pattern, why, remedy in _FAREWELLS:
        if pattern.search(farewell):
            error = MailboxError(source, f"{what}: {why}", remedy)
            error.passing = True
            return error
    return MailboxError(source, what)


def refused(source: Source, command: str, line: bytes) -> Refused:
    """Why the server did not do a command, by the response code (RFC 5530) of its answer."""
    code = _code(line)
    what = f"the server refused {command}" + (f" [{code}]" if code else "")
    error = Refused(source, what, _REMEDIES.get(code, ""), lasting=code in _REMEDIES)
    error.passing = code in _PASSING or code in _REMEDIES
    return error


def no_folder(source: Source, line: bytes, *, bad: bool) -> MailboxError:
    """Why the folder was not selected."""
    code = _code(line)
    if bad or code in _PASSING:
        return refused(source, "SELECT", line)
    if code == "NOPERM":
        what = f'folder "{source.folder}" may not be read by this user'
        return MailboxError(source, what, "give the user the right to read it", lasting=True)
    what = f'there is no folder "{source.folder}"'
    return MailboxError(source, what, "check folder", lasting=True)


def login_refused(source: Source, line: bytes, *, token: bool = False) -> MailboxError:
    """Why a login failed. The server's text may repeat the user, so none of it is told."""
    code = _code(line)
    if code == "UNAVAILABLE":
        return MailboxError(source, "the server cannot check passwords at present")
    passing = code in _PASSING or (code != "AUTHENTICATIONFAILED" and _LATER.search(line))
    if passing:
        return MailboxError(source, "the server takes no login at present")
    what, remedy = "the server refused the login", "check user and password_file"
    if token:
        what = "the server refused the token"
        remedy = "check user, and that the account may use IMAP"
    for pattern, better in _LOGIN_REMEDIES:
        if pattern.search(line):
            remedy = better
    return MailboxError(source, what, remedy, lasting=True)


def _code(line: bytes) -> str:
    found = re.search(rb"\[([A-Z-]+)[\] ]", line)
    return found[1].decode() if found else ""


def unreachable(source: Source, error: Exception) -> MailboxError:
    """Why no connection came about."""
    where = f"{source.host}:{source.port}"
    match error:
        case ssl.SSLCertVerificationError() if error.verify_code in _OTHER_NAME:
            what = f"the certificate of {where} is for another name"
            return MailboxError(
                source, what, "set host to a name the certificate holds", lasting=True
            )
        case ssl.SSLCertVerificationError():
            why = error.verify_message
            what = f"the certificate of {where} is not trusted: {why}"
            remedy = "renew it, or name its authority in SSL_CERT_FILE"
            return MailboxError(source, what, remedy, lasting=True)
        case ssl.SSLError():
            remedy = 'check port, or set tls = "none" on a trusted network'
            return MailboxError(source, f"{where} does not speak TLS", remedy, lasting=True)
        case socket.gaierror():
            return MailboxError(source, f"there is no host {source.host}", "check host")
        case ConnectionRefusedError():
            return MailboxError(source, f"nothing listens at {where}", "check host and port")
        case TimeoutError():
            return MailboxError(source, f"{where} does not answer", "check host, port and firewall")
        case _:
            why = getattr(error, "strerror", None) or type(error).__name__
            return MailboxError(source, f"{where} cannot be reached: {why}")


_OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

_PASSING = ("UNAVAILABLE", "THROTTLED", "INUSE", "LIMIT", "SERVERBUG")  # RFC 5530, and Gmail's
_LATER = re.compile(rb"too many|try again|temporar|exceeded", re.IGNORECASE)
_REMEDIES = {
    "OVERQUOTA": "make room in the mailbox",
    "NOPERM": "give the user the right to change the folder",
}
_FAREWELLS = (
    (
        re.compile(rb"too many|connection limit", re.IGNORECASE),
        "too many of this account are open",
        "close other mail programs",
    ),
    (re.compile(rb"AccessTokenExpired|token.{0,20}expired", re.IGNORECASE), "its token ended", ""),
)
_LOGIN_REMEDIES = (  # what Gmail says
    (
        re.compile(rb"application-specific password", re.IGNORECASE),
        "put an app password into password_file, or use oauth2",
    ),
    (re.compile(rb"web ?login|WEBALERT", re.IGNORECASE), "log in to the account by browser once"),
    (re.compile(rb"not enabled for IMAP", re.IGNORECASE), "switch IMAP on in the account"),
)
