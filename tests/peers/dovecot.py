"""A real Dovecot 2.3: Maildir, a password file, IMAP, IMAPS and, where installed, LMTP and POP3.

    async with Dovecot.start({"lists@example.org": "secret"}) as dovecot:
        dovecot.deliver("lists@example.org", message)

Runs without root; when we are root, as nobody. Wrong passwords are answered at once. With `oauth`,
the URL of a token server's introspection endpoint, it takes XOAUTH2 and OAUTHBEARER as well, and
asks there at every such login; a session outlives its token.
"""

from __future__ import annotations

import asyncio
import grp
import imaplib
import itertools
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.certificate import Certificate, self_signed
from tests.peers.process import Daemon, directory, free_port, own, program, unprivileged

LMTP = Path("/usr/lib/dovecot/lmtp")
POP3 = Path("/usr/lib/dovecot/pop3")
CONFIGURATION = """
protocols = {protocols}
base_dir = {place}/run
state_dir = {place}/state
log_path = /dev/stderr
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = {uid}
first_valid_gid = {gid}
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login {mechanisms}
auth_failure_delay = 0
mail_location = maildir:~/Maildir
mail_max_userip_connections = 200
recipient_delimiter = +-
postmaster_address = postmaster@localhost
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {place}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={place}/mail/%u
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
"""
LMTP_CONFIGURATION = """
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
"""
POP3_CONFIGURATION = """
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
  }}
}}
"""
OAUTH_CONFIGURATION = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {place}/oauth2
}}
"""
INTROSPECTION = """
introspection_mode = post
introspection_url = {oauth}
username_attribute = username
active_attribute = active
active_value = true
"""
READ_ONLY = """
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
}
plugin {
  acl = vfile
}
"""
_serial = itertools.count()


@dataclass(frozen=True)
class Mail:
    """One mail of a folder, as IMAP shows it."""

    uid: int
    flags: frozenset[str]
    data: bytes


class Dovecot:
    """A running server. Log in with the full address; `certificate.cert` is the CA file for
    `localhost`:`tls_port`. `lmtp_port` is None without the package dovecot-lmtpd, `pop3_port`
    and `pop3s_port` without dovecot-pop3d."""

    def __init__(
        self, place: Path, users: Mapping[str, str], certificate: Certificate, oauth: str
    ) -> None:
        self.place = place
        self.oauth = oauth
        self.users = dict(users)
        self.certificate = certificate
        self.port = free_port()
        self.tls_port = free_port()
        self.lmtp_port = free_port() if LMTP.exists() else None
        self.pop3_port = free_port() if POP3.exists() else None
        self.pop3s_port = free_port() if POP3.exists() else None
        config = place / "dovecot.conf"
        config.write_text(self._configuration())
        (place / "oauth2").write_text(INTROSPECTION.format(oauth=oauth))
        (place / "users").write_text("".join(f"{u}:{{PLAIN}}{p}\n" for u, p in users.items()))
        self.daemon = Daemon(
            argv=(program("dovecot", "dovecot-imapd"), "-F", "-c", str(config)),
            ports=[
                port for port in (self.port, self.tls_port, self.lmtp_port, self.pop3_port) if port
            ],
            log=place / "log",
            drop=True,
        )

    def _configuration(self) -> str:
        user = unprivileged()
        template = CONFIGURATION + (LMTP_CONFIGURATION if self.lmtp_port else "")
        template += POP3_CONFIGURATION if self.pop3_port else ""
        template += OAUTH_CONFIGURATION if self.oauth else ""
        optional = {"lmtp": self.lmtp_port, "pop3": self.pop3_port}
        return template.format(
            protocols=" ".join(["imap", *(name for name, port in optional.items() if port)]),
            mechanisms="xoauth2 oauthbearer" if self.oauth else "",
            place=self.place,
            user=user.pw_name,
            group=grp.getgrgid(user.pw_gid).gr_name,
            uid=user.pw_uid,
            gid=user.pw_gid,
            cert=self.certificate.cert,
            key=self.certificate.key,
            port=self.port,
            tls_port=self.tls_port,
            lmtp_port=self.lmtp_port,
            pop3_port=self.pop3_port,
            pop3s_port=self.pop3s_port,
        )

    @classmethod
    @asynccontextmanager
    async def start(cls, users: Mapping[str, str], *, oauth: str = "") -> AsyncIterator[Dovecot]:
        """Serve `users` (address to password) until the context ends; skips without Dovecot."""
        require()
        with directory("dovecot") as place:
            dovecot = cls(place, users, self_signed(place), oauth)
            for user in users:
                for folder in ("cur", "new", "tmp"):
                    (dovecot.maildir(user) / folder).mkdir(parents=True)
            own(place)
            async with dovecot.daemon:
                yield dovecot

    def maildir(self, user: str, folder: str = "INBOX") -> Path:
        """The Maildir of a user's folder (Maildir++ layout)."""
        root = self.place / "mail" / user / "Maildir"
        return root if folder == "INBOX" else root / f".{folder}"

    def deliver(self, user: str, message: bytes, folder: str = "INBOX") -> Path:
        """Deliver as an MDA does: write under tmp, then rename into new. `message` is stored as
        it is (CRLF or LF lines; IMAP shows CRLF). Clients in IDLE are told by inotify."""
        maildir = self.maildir(user, folder)
        name = f"{time.time():.6f}.{os.getpid()}_{next(_serial)}.{socket.gethostname()}"
        written = maildir / "tmp" / name
        written.write_bytes(message)
        if os.getuid() == 0:
            os.chown(written, unprivileged().pw_uid, unprivileged().pw_gid)
        return written.rename(maildir / "new" / name)

    def imap(self, user: str) -> imaplib.IMAP4:
        """A logged-in imaplib client (blocking); logs out at the end of a with block."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
        client.login(user, self.users[user])
        return client

    def append(
        self,
        user: str,
        message: bytes,
        folder: str = "INBOX",
        *,
        flags: str = "",
        date: float | None = None,
    ) -> None:
        r"""APPEND a mail (blocking): `flags` such as r"\Seen", `date` the INTERNALDATE as Unix
        time. imaplib makes every line end CRLF; use `deliver` for other octets."""
        with self.imap(user) as client:
            stamp = imaplib.Time2Internaldate(date) if date is not None else ""
            status, said = client.append(folder, flags, stamp, message)
        assert status == "OK", said

    def mails(self, user: str, folder: str = "INBOX") -> list[Mail]:
        """The mails of a folder by UID (blocking); sets no flag. Empty for no such folder."""
        with self.imap(user) as client:
            if client.select(folder, readonly=True)[0] != "OK":
                return []
            found = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")[1]
        return [_mail(*item) for item in found if isinstance(item, tuple)]

    def uidvalidity(self, user: str, folder: str = "INBOX") -> int:
        """The folder's UIDVALIDITY (blocking)."""
        with self.imap(user) as client:
            client.select(folder, readonly=True)
            return int(client.response("UIDVALIDITY")[1][0])

    async def change_uidvalidity(self, user: str) -> None:
        """Restart with the user's INBOX renumbered from 1 under a greater UIDVALIDITY, as after
        the loss of the server's index files."""
        before = await asyncio.to_thread(self.uidvalidity, user)
        async with self.stopped(at_once=True):
            maildir = self.maildir(user)
            for place in maildir.glob("dovecot*"):
                place.unlink()
            (maildir / "dovecot-uidlist").write_text(f"3 V{before + 1} N1\n")
            own(maildir)

    async def make_read_only(self, user: str) -> None:
        """Restart with no right for the user to change the INBOX."""
        (self.maildir(user) / "dovecot-acl").write_text("owner lr\n")
        with (self.place / "dovecot.conf").open("a") as config:
            config.write(READ_ONLY)
        async with self.stopped(at_once=True):
            pass

    async def disconnect(self, user: str) -> None:
        """End the user's IMAP sessions, as a server does whose token has died."""
        doveadm = program("doveadm", "dovecot-core")
        config = str(self.place / "dovecot.conf")
        process = await asyncio.create_subprocess_exec(doveadm, "-c", config, "kick", user)
        await process.wait()

    @asynccontextmanager
    async def stopped(self, *, at_once: bool = False) -> AsyncIterator[None]:
        """Down within the context, up again after it; `at_once` as by kill -9."""
        await (self.daemon.kill() if at_once else self.daemon.stop())
        yield
        for lock in self.place.rglob("*.lock"):
            lock.unlink()  # left by a kill; Dovecot would wait for each, a mailbox's two minutes
        await self.daemon.start()


def require() -> None:
    """Skip the test without Dovecot 2.3, naming what to install."""
    version = subprocess.check_output([program("dovecot", "dovecot-imapd"), "--version"], text=True)
    if not version.startswith("2.3."):  # 2.4 has another configuration language
        pytest.skip(f"Dovecot 2.3 is needed, this is {version.split()[0]}: install dovecot-imapd")


def require_pop3(dovecot: Dovecot) -> int:
    """Its port for POP3; skips the test without."""
    if dovecot.pop3_port is None:
        pytest.skip("POP3 is missing: install the Debian package dovecot-pop3d")
    return dovecot.pop3_port


def _mail(attributes: bytes, data: bytes) -> Mail:
    flags = attributes.split(b"FLAGS (")[1].split(b")")[0].decode().split()
    uid = int(attributes.split(b"UID ")[1].split()[0])
    return Mail(uid, frozenset(flags), data)
