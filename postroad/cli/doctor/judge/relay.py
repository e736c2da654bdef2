"""A relay: what it offers, and whom it lets send. How much, is in `limits`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postroad.cli.doctor.finding import Finding, failed, ok, skipped, warning
from postroad.runtime.settings import Relay
from services.sender.transaction import Offers

SMALL = 10_000_000  # octets: a relay that takes less refuses posts that a mailbox took
NULL = ""
NO_LOGIN = (530, 534, 535, 538)  # RFC 4954 section 6: whoever asks must log in, in another way


def extensions(relay: Relay, offers: Offers, largest: int) -> Finding:
    """What is lost without each. `largest` is the largest mail that a source takes, in octets."""
    subject = f"relay {relay.name}"
    lost = []
    if not offers.pipelining:
        lost.append("no PIPELINING: each copy waits for several round trips")
    if not offers.eight_bit:
        lost.append("no 8BITMIME: mail in 8 bits may be refused or altered")
    if offers.size and offers.size < min(largest, SMALL):
        lost.append(f"takes only {offers.size / 1e6:.1f} MB: larger posts are refused")
    if lost:
        remedy = "turn it on at the relay, or use another; lower max_size to what it takes"
        return warning("extensions", subject, "; ".join(lost), remedy)
    utf8 = "" if offers.utf8 else "; no SMTPUTF8: no mail to addresses outside ASCII"
    return ok("extensions", subject, f"PIPELINING, 8BITMIME, room for posts{utf8}")


def senders(
    relay: Relay, asked: Sequence[str], answers: Mapping[str, tuple[int, str]]
) -> list[Finding]:
    """What the relay said to MAIL FROM: code and text by sender, the null sender as ""."""
    subject = f"relay {relay.name}"
    found = []
    taken = []
    for sender, (code, text) in answers.items():
        name = "the null sender" if sender == NULL else sender
        if 200 <= code < 300:
            taken.append(name)
        elif code in NO_LOGIN:
            what = f"refuses {name} as envelope sender: {code} {text}"
            remedy = "it is the login that is refused: check user, password or token, and at the "
            remedy += "provider whether the account may send by SMTP"
            found.append(failed("senders", subject, what, remedy))
        elif sender == NULL:
            what = f"refuses the null sender: {code} {text}"
            remedy = "set null_sender = false"
            found.append(failed("senders", subject, what, remedy))
        else:
            what = f"refuses {name} as envelope sender: {code} {text}"
            remedy = (
                'set envelope = "user", or let the relay send for the domain'
                if not relay.envelope_address
                else "set envelope to an address that this login may send as"
            )
            found.append(failed("senders", subject, what, remedy))
    if len(answers) < len(asked):
        what = "the relay hangs up at MAIL, so nobody knows what it takes"
        found.append(skipped("senders", subject, what, "send a post to a small list, and look"))
    return found or [ok("senders", subject, f"takes {', '.join(taken)} at MAIL; nothing was sent")]


def token(relay: Relay, status: int) -> Finding:
    """What the provider answered to OPTIONS with our token, by HTTP status."""
    subject = f"relay {relay.name}"
    if status in (401, 403, 407):
        what = f"refuses {'the token' if relay.token_file else 'us without a token'}: HTTP {status}"
        return failed("login", subject, what, "check token_file")
    return ok("login", subject, f"not refused (HTTP {status}); nothing was posted")


def store(relay: Relay, problem: str) -> Finding:
    """Whether copies can be stored; `problem` says why not."""
    if problem:
        remedy = "check path, and who may write there"
        return failed("store", f"relay {relay.name}", f"{relay.where}: {problem}", remedy)
    kind = "mbox" if relay.mbox else "Maildir"
    return ok("store", f"relay {relay.name}", f"{relay.where}, {kind}")
