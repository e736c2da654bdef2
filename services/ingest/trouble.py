"""What can be wrong with a mailbox, as one clear line: which source, what, and what to do."""

from __future__ import annotations

import socket
import ssl

from postroad.runtime.config import Source
from postroad.runtime.errors import PostroadError


class MailboxError(PostroadError):
    """The mailbox of a source cannot be used now.

    `lasting` marks what only a person can mend (a password, a name): trying again soon is no
    use and may lock an account. No address and no text of the server is part of the line.
    """

    def __init__(
        self, source: Source, what: str, remedy: str = "", *, lasting: bool = False
    ) -> None:
        self.what = f"{what}; {remedy}" if remedy else what
        super().__init__(f'[[source]] "{source.name}": {self.what}')
        self.lasting = lasting


class Refused(MailboxError):
    """The server said no to one command; the connection is as good as before."""


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
