"""A mailbox: what its server can do, its folder, and what the newest mails in it tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from postroad.cli.doctor.finding import Finding, failed, ok, skipped, warning
from postroad.mail.authentication import MICROSOFT365
from postroad.mail.headers import scan
from postroad.runtime.settings import Source
from services.ingest.glance import Glance

MANY = 500  # mails that a first contact should take only on purpose
CANDIDATES = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")
_AUTHSERV_ID = re.compile(r'\s*(?:\([^()]*\)\s*)?"?([^\s;="]{1,255})"?\s*(?:\d+\s*)?(?:;|$|\()')


def capabilities(source: Source, found: Collection[str]) -> Finding:
    """What is lost without IDLE, UIDPLUS and MOVE, for these settings."""
    subject = f"source {source.name}"
    moves, deletes = source.after.startswith("move:"), source.after == "delete"
    lost = []
    deaf = source.idle and "IDLE" not in found
    if deaf:
        lost.append(f"no IDLE: new mail is noticed every {source.poll}")
    if moves and "MOVE" not in found:
        lost.append("no MOVE: a crash while moving leaves a second copy")
    if "UIDPLUS" not in found and (deletes or (moves and "MOVE" not in found)):
        lost.append("no UIDPLUS: deleted mail stays while another mail is marked deleted")
    if lost:
        change = "set poll shorter" if deaf and len(lost) == 1 else 'set after = "seen"'
        return warning("capabilities", subject, "; ".join(lost), f"{change}, or live with it")
    has = [name for name in ("IDLE", "UIDPLUS", "MOVE") if name in found]
    return ok("capabilities", subject, f"has {', '.join(has) or 'none we need'}")


def maildir(source: Source, mails: int, problem: str) -> Finding:
    """A Maildir with so many mails; `problem` is why it cannot be read or changed."""
    subject = f"source {source.name}"
    if problem:
        remedy = "check path and folder, and give the user that runs Postroad the right to them"
        return failed("folder", subject, problem, remedy)
    return ok("folder", subject, f'"{source.folder}" holds {mails}, and may be changed')


def unique_ids(source: Source, mails: int, without: int) -> Finding:
    """Of a POP3 server with so many mails, so many of them without an id of their own."""
    subject = f"source {source.name}"
    if without and source.after != "delete":
        what = f"{without} of {mails} mails have no unique id (UIDL): they are read at every look"
        return warning("capabilities", subject, what, 'set after = "delete"')
    told = "unique ids (UIDL)" if mails and not without else "no mail to look at"
    return ok("capabilities", subject, told if not without else "no unique ids, and none needed")


def folder(source: Source, seen: Glance) -> Finding:
    """Whether mail may be flagged there, as far as the server says without being asked to."""
    subject = f"source {source.name}"
    mails = "1 mail" if seen.mails == 1 else f"{seen.mails} mails"
    moved = source.after.removeprefix("move:") if source.after.startswith("move:") else ""
    made = f'; "{moved}" is made when first needed' if moved else ""
    count = f'"{source.folder}" holds {mails}'
    wanted = "s" if source.after == "seen" else "ste"
    if seen.rights is not None:
        missing = [right for right in wanted if right not in seen.rights]
        if missing:
            what = f'"{source.folder}" is read-only for user (rights: {seen.rights or "none"})'
            remedy = f'give the user the rights "lrws{wanted[1:]}" on it, or choose another folder'
            return failed("folder", subject, what, remedy)
        return ok("folder", subject, f"{count}, and may be written{made}")
    if seen.flags and seen.flags & {"\\Seen", "\\*"}:
        return ok("folder", subject, f"{count}, and may be written{made}")
    # under EXAMINE most servers have no permanent flags to tell of
    unsure = "whether it may be written shows with the first one"
    return ok("folder", subject, f"{count}; {unsure}{made}")


def start(source: Source, seen: Glance, *, contacted: bool | None) -> Finding:
    """What the first contact takes. `contacted` is whether it has been, None where unknown."""
    subject = f"source {source.name}"
    if contacted:
        return ok("start", subject, "was contacted before: goes on from there, whatever start says")
    taken = {"now": 0, "unseen": seen.unread, "all": seen.mails}[source.start]
    if_first = "" if contacted is False else "if this is the first contact, "
    what = f'{if_first}start = "{source.start}" takes {taken} of {seen.mails} mails that are there'
    if taken > MANY:
        remedy = 'if these are old posts, set start = "now" before the first postroad up'
        return warning("start", subject, what, remedy)
    return ok("start", subject, what)


def authserv_id(source: Source, newest: Sequence[bytes]) -> Finding:
    """Whether the settings name who writes the topmost Authentication-Results."""
    check, subject = "authserv_id", f"source {source.name}"
    found = Counter(name for block in newest if (name := _writer(block)))
    if not found:
        if source.authserv_id:
            what = f"{source.authserv_id}; no mail here has Authentication-Results to compare"
            return skipped(check, subject, what, "run postroad doctor again once there is mail")
        what = "none set, and no mail here has Authentication-Results"
        return skipped(check, subject, what, "run postroad doctor again once there is mail")
    writer = found.most_common(1)[0][0]
    if not source.authserv_id:
        what = f"the server writes {writer}, the settings say nothing: nobody's mail is proved"
        remedy = f'set authserv_id = "{writer}" if that is your provider, so that members are known'
        return warning(check, subject, what, remedy)
    if source.authserv_id.casefold() not in {name.casefold() for name in found}:
        what = f"the server writes {writer}, the settings say {source.authserv_id}"
        return failed(check, subject, what, f'set authserv_id = "{writer}"')
    return ok(check, subject, f"{source.authserv_id}, as in {found.total()} of the newest mails")


def recipient_headers(source: Source, newest: Sequence[bytes], domains: Collection[str]) -> Finding:
    """Whether the newest mails have them, or another one that would do."""
    check, subject = "recipient_headers", f"source {source.name}"
    if not newest:
        what = "there is no mail here to look for them in"
        return skipped(check, subject, what, "run postroad doctor again once there is mail")
    if source.recipient_headers:
        trusted = [scan(block, source.recipient_headers)[0].trusted for block in newest]
        have = sum(1 for found in trusted if found)
        named = ", ".join(source.recipient_headers)
        if not have:
            what = f"none of the {len(newest)} newest mails has {named} above its first Received"
            remedy = "name a header that your server writes, or leave recipient_headers out"
            return failed(check, subject, what, remedy)
        return ok(check, subject, f"{named}: in {have} of the {len(newest)} newest mails")
    useful = _useful(source, newest, domains)
    if useful:
        what = f"none set, but the server writes {useful}: mail in Bcc only finds no list"
        return warning(check, subject, what, f'set recipient_headers = ["{useful}"]')
    return ok(check, subject, "none set, and the server writes none: To and Cc decide")


def _useful(source: Source, newest: Sequence[bytes], domains: Collection[str]) -> str:
    """The header in which the server names addresses of ours, other than the mailbox's own."""
    for name in CANDIDATES:
        for block in newest:
            for address in scan(block, (name,))[0].trusted.get(name.lower(), ()):
                local, _, domain = address.lower().rpartition("@")
                if domain in domains and f"{local}@{domain}" != source.user.lower():
                    return name
    return ""


def _writer(block: bytes) -> str:
    """The authserv-id (RFC 8601 section 2.2) of the topmost Authentication-Results, or ""."""
    results = scan(block)[0].auth_results
    found = _AUTHSERV_ID.match(results[0]) if results else None
    if found is None:
        return MICROSOFT365 if results and "compauth=" in results[0] else ""
    return found[1]
