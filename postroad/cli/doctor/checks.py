"""The table of checks, in the order in which they are made and shown."""

from __future__ import annotations

from typing import Literal, NamedTuple

from postroad.runtime.settings import SOCKETS, Relay, Source

Of = Literal["installation", "source", "relay", "domain"]


class Check(NamedTuple):
    """A check: whom it is made of, what it looks at, and what helps where nothing more precise
    can be said. A check that fails ends those after it of the same subject that need it."""

    name: str
    of: tuple[Of, ...]
    about: str
    remedy: str


CHECKS = (
    Check(
        "settings",
        ("installation",),
        "what in the settings works and is unwise",
        "change the settings as the line says",
    ),
    Check(
        "secrets",
        ("installation",),
        "every secret and token file is there, and no other user may read it",
        "give the file to the user that runs Postroad: chmod 600 FILE",
    ),
    Check(
        "state",
        ("installation",),
        "state_dir is private and writable, and its disk has room",
        "chmod 700 the state_dir; make room on its disk",
    ),
    Check(
        "disk",
        ("installation",),
        "the file system of state_dir keeps what is synced, and has inodes left",
        "move state_dir to a disk of this machine (ext4, xfs, btrfs)",
    ),
    Check(
        "fsync",
        ("installation",),
        "a sync there waits for the disk, and not for long; some are measured",
        "use a faster disk: every mail waits for some syncs",
    ),
    Check(
        "clock",
        ("installation",),
        "the clock is within seconds of others: a time server (NTP), [web], a broker elsewhere",
        "set the clock, and have it kept: timedatectl set-ntp true; then restart Postroad",
    ),
    Check(
        "python",
        ("installation",),
        "this Python has the fixes that a mail program needs",
        "install a newer Python, or use your distribution's with its security updates",
    ),
    Check(
        "broker",
        ("installation",),
        "the broker answers, is new enough, and has mail on disk before it says so",
        "see the broker's log; start Postroad with: postroad up",
    ),
    Check(
        "lists",
        ("installation",),
        "some mailbox gets the mail of every list, somebody that for its owners",
        "add a [[domain]] and a [[source]] for the domain of the list; add an owner",
    ),
    Check(
        "web",
        ("installation",),
        "with [web]: the links to leave by lead to Postroad",
        "have your web server pass on /u/ to host and port of [web], with a trusted certificate",
    ),
    Check(
        "alarm",
        ("installation",),
        "there is somebody to tell: the command of [alarm] is there; with --send all are told",
        "set command, webhook or handlers in [alarm]; then: postroad doctor --only alarm --send",
    ),
    Check(
        "token",
        ("source", "relay"),
        "with oauth2: there is a token, and it can be renewed",
        "log in again: postroad oauth login NAME",
    ),
    Check("host", ("source", "relay"), "its name has an address", "check host and your resolver"),
    Check(
        "connection",
        ("source", "relay"),
        "its port takes connections",
        "check host, port and firewall",
    ),
    Check(
        "tls",
        ("source", "relay"),
        "its certificate is trusted, for this name, and good for 21 days more",
        "renew the certificate, or name its authority in SSL_CERT_FILE",
    ),
    Check(
        "greeting", ("source", "relay"), "it speaks IMAP, POP3, SMTP or LMTP", "check port and tls"
    ),
    Check(
        "login",
        ("source", "relay"),
        "it takes user and password, or the token",
        "check user and password_file",
    ),
    Check(
        "capabilities",
        ("source",),
        "the server can do what `idle` and `after` ask for",
        "choose `after` and `poll` for what the server can do",
    ),
    Check(
        "folder",
        ("source",),
        "the folder is there, and mail in it may be flagged",
        "check folder, and the rights of user",
    ),
    Check(
        "start",
        ("source",),
        "what the first contact will take",
        'set start before the first contact: "now", "unseen" or "all"',
    ),
    Check(
        "authserv_id",
        ("source",),
        "it is what the newest mails have in Authentication-Results",
        "set authserv_id to what the server writes",
    ),
    Check(
        "recipient_headers",
        ("source",),
        "they stand in the newest mails, above the first Received",
        "name the header in which the server writes the true recipient",
    ),
    Check(
        "extensions",
        ("relay",),
        "the relay offers PIPELINING, 8BITMIME, SMTPUTF8 and room for posts",
        "ask the relay's operator, or use another relay",
    ),
    Check(
        "senders",
        ("relay",),
        "it takes our envelope senders at MAIL FROM; nothing is sent",
        "set envelope and null_sender to what the relay takes",
    ),
    Check(
        "store",
        ("relay",),
        "of kind file: the Maildir or mbox can be written to",
        "check path, and who may write there",
    ),
    Check(
        "ptr",
        ("relay",),
        "the address that it sees us from, or sends from, has a name that leads back to it",
        "have who gave you the address publish a PTR record, with a name that has it",
    ),
    Check(
        "limits",
        ("relay",),
        "`daily` is set where the provider has a limit, and one post fits into a day",
        "set daily to the provider's limit",
    ),
    Check("mx", ("domain",), "mail for the domain has somewhere to go", "publish an MX record"),
    Check(
        "spf",
        ("domain",),
        "the SPF record is one, valid, strict, and names the provider",
        "publish one SPF record that includes the relay's",
    ),
    Check(
        "dkim",
        ("domain",),
        "who signs copies, and whether the key is published",
        "set dkim_key_file and publish its record, or turn on DKIM at the relay",
    ),
    Check(
        "dmarc",
        ("domain",),
        "there is one valid DMARC record, here or above",
        "publish a DMARC record, p=none to begin with",
    ),
    Check(
        "copy",
        ("domain",),
        "a sample copy, composed and signed as it would be sent, keeps every rule",
        "see the table of rules",
    ),
)

REMEDIES = {check.name: check.remedy for check in CHECKS}
ORDER = {check.name: place for place, check in enumerate(CHECKS)}


_OF_A_SERVER = (
    *("host", "connection", "tls", "greeting", "login", "extensions", "senders"),
    *("ptr", "limits"),
)


def of_relay(relay: Relay) -> tuple[str, ...]:
    """The checks made of a relay of its kind, but for the token."""
    if relay.kind == "file":
        return ("store", "limits")
    if relay.kind == "http":
        return ("host", "connection", "tls", "login", "limits")
    return _OF_A_SERVER if relay.path is None else _OF_A_SERVER[3:]


_OF_KIND = {
    "pop3": ("token", "host", "connection", "tls", "greeting", "login", "capabilities", "start"),
    "maildir": ("folder", "start"),
    "pipe": (),
}


def of_source(source: Source) -> tuple[str, ...]:
    """The checks made of a source of its kind."""
    if source.kind in SOCKETS:
        return ("connection",)
    return _OF_KIND.get(source.kind, names("source"))


def names(of: Of) -> tuple[str, ...]:
    """The checks made of each of these, in order."""
    return tuple(check.name for check in CHECKS if of in check.of)
