"""The words of an explanation: one line for each thing that happened. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from postroad.cli.evidence import Bounce, Change, Decision, Mail, Period, Queued, Try, Wait
from postroad.mail.refusals import RESTORED, why
from schemas import subjects
from services.membership import actors
from services.membership.moderation.decider import BY_PEOPLE, BY_TIME

NO_LIST = subjects.NO_LIST
JOINED, LEFT, CHANGED = "subscribed", "unsubscribed", "changed"  # of `membership_events`
REFUSED: Mapping[str, str] = {
    "too_large": "the mail was left on its server, for it is too large: nobody got it",
    "stale": "the mail was left on its server, for it was too old when it was found",
    "unreadable": "the mail was left on its server, for it could not be read",
}
ERASED = "whoever had this address was erased: what became of their copies is told no more"
NOBODY = "nobody of this address is known: it never was on a list, or is spelled otherwise there"
UNDECIDED = "nothing is decided on the mail yet; `postroad status` says what it waits for"
ACCEPTED = "the mail was held, and is accepted: it is about to be posted"
NOT_QUEUED = "they receive posts, and their copy is still to be queued"
LETTER = "the mail is a letter of Postroad; whom it was to is kept no more"
FORGOTTEN = "a copy was for them, but nothing is kept of it any more"
HIDDEN = (
    "hint: Gmail does not show authors the copy that a list sends them of their own mail; it is in "
    "All Mail and in Sent, and everybody else sees it"
)
WISHES: Mapping[str, str] = {
    "receive_own_postings": "they wrote it, and want no copies of what they write to the list "
    "(receive_own_postings=false)",
    "receive_list_copy": "the mail names them in To or Cc, and of such they want no second copy "
    "from the list (receive_list_copy=false)",
}
_STOPPED: Mapping[str, str] = {
    "by_user": "they had stopped their mail themselves",
    "by_bounces": "their mail was stopped, for too much of it came back",
    "by_moderator": "their mail was stopped by an owner or operator",
}


def who(actor: str, people: Mapping[str, str], person: str) -> str:
    """Who did it, in words; empty where nobody is named."""
    return actors.told(actor, people, person) if actor else ""


def at(time: datetime) -> str:
    """A moment within a sentence."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def received(mail: Mail) -> str:
    """Where a mail was found."""
    uid = f"UID {mail.uid}" if mail.uid else ""
    place = f"{mail.source} ({', '.join(filter(None, (mail.folder, uid))) or 'handed over'})"
    return f"left on {place}" if mail.refused else f"received from {place}"


def decided(one: Decision, by: str) -> str:
    """What was decided on a mail."""
    if one.kind in ("held", "rejected", "discarded"):
        return stopped(one, by)
    match one.kind:
        case "post" if one.rule in ("", "truth", BY_PEOPLE):  # who let it pass stands before
            return "posted to the list"
        case "post":
            return f"posted to the list: accepted by the rule {one.rule}"
        case "accepted":
            return f"accepted by {by}"
        case "owner":
            return "sent to the list's owners"
        case "letter":
            return "a letter of Postroad"
        case _:
            return no_post(one)


def stopped(one: Decision, by: str) -> str:
    """Why a mail reached nobody."""
    reason = f": {one.reason}" if one.reason else ""
    if one.rule == BY_TIME:
        return f"{one.kind}: it was held, and nobody decided on it in time"
    if one.rule == BY_PEOPLE:
        return f"{one.kind} by {by}{reason}"
    waits = "; it waits for a moderator" if one.kind == "held" else ""
    return f"{one.kind} by the rule {one.rule}{reason}{waits}"


def no_post(one: Decision) -> str:
    """What a mail was that went to no members."""
    match one.kind:
        case "command":
            return f"the mail was a command ({one.rule or one.reason}), which goes to nobody"
        case "bounce":
            return "the mail was a delivery report, which goes to nobody"
        case "letter":
            return "the mail is a letter of Postroad, to somebody else"
        case "unrouted":
            return f"the mail was for no list: {one.reason}"
        case _:
            return f"the mail was no post, but {one.kind}"


def joined(one: Change, by: str) -> str:
    """How somebody came onto a list, or to another role there."""
    before = f", where they were since {at(one.since)}" if one.since else ""
    what = "joined the list" if one.role == "member" else f"became {one.role}"
    return f"{what}{_by(one.how, by)}{before}"


def changed(one: Change, by: str) -> str:
    """How somebody left, or what they changed."""
    reason = f": {one.reason}" if one.reason else ""
    if one.event == LEFT:
        what = "left the list" if one.role == "member" else f"is {one.role} no more"
        return f"{what}{_by(one.how, by)}{reason}"
    options = {"delivery_mode": one.delivery_mode, "delivery_status": one.delivery_status}
    told = " ".join(f"{name}={value}" for name, value in options.items() if value)
    told = told or "other options"
    return f"{told}{_by(one.how, by)}{reason}"


def queued(one: Queued) -> str:
    """Where a copy was queued."""
    again = f", to be tried again ({one.attempt})" if one.attempt else ""
    return f"queued in chunk {one.chunk}{again}"


def tried(one: Try) -> str:
    """What became of one attempt."""
    said = " ".join(f"{one.code or ''} {one.enhanced} {one.reply}".split())
    relay = f"relay {one.relay}" if one.relay else "a relay"
    match one.outcome:
        case "accepted" if one.late:
            told = f"{relay} had taken it, though its answer was missed"
        case "accepted":
            told = f"{relay} took it" + (f" and said: {said}" if said else "")
        case "departed":
            return "they had left the list before their copy was sent"
        case "deferred" if one.scope in ("relay", "destination") or not one.code:
            told = f"not taken yet: {said or why(one.code, one.enhanced)}"
        case "deferred":
            told = f"{relay} refused it for now: {why(one.code, one.enhanced)} ({said})"
        case _ if one.enhanced == RESTORED:
            told = f"it was {why(0, RESTORED)}; `postroad retry` sends it after all"
        case _:
            told = f"{relay} refused it for good: {why(one.code, one.enhanced)} ({said})"
    twice = "; they may have got it twice, after a crash or a missed answer"
    if one.outcome == "deferred":
        twice = "; they may have it already, and would get it a second time with the next try"
    return told + (twice if one.doubtful else "")


def bounced(one: Bounce) -> str:
    """What came back, or how a refusal was counted."""
    status = "" if one.status in one.said else one.status
    said = " ".join(f"{status} {one.said}".split())
    server = f" ({one.server})" if one.server else ""
    told = f"{said}{server}" if said else f"no reason was given{server}"
    match one.kind:
        case "complaint":
            return "they reported it as spam"
        case "autoreply" | "challenge":
            return f"answered by a machine ({one.kind}): {told}"
        case _ if one.delayed:
            return f"delayed on its way, and may still arrive: {told}"
    counts = f"; it counts {one.points:g}, their score is {one.score:g}"
    return f"{'came back' if one.report else 'counted as a bounce'} ({one.kind}): {told}{counts}"


def stopped_for(then: Period, cause: Change | None, by: str) -> str:
    """Why a member got no mail."""
    status, mode = then.delivery_status, then.delivery_mode
    what = f"delivery_status={status}" if status != "enabled" else f"delivery_mode={mode}"
    told = _STOPPED.get(status, "they read without mail")
    since = f" since {at(cause.ts)}{_by(cause.how, by)}" if cause else ""
    reason = f": {cause.reason}" if cause and cause.reason else ""
    return f"{told} ({what}){since}{reason}"


def left_before(ended: Period, change: Change | None, by: str) -> str:
    """When somebody left, before a post."""
    left = ended.valid_to or ended.valid_from
    how = _by(change.how, by) if change else ""
    reason = f": {change.reason}" if change and change.reason else ""
    return f"they had left the list at {at(left)}{how}{reason}"


def joined_later(first: Period) -> str:
    """When somebody joined, after a post."""
    return f"they joined the list at {at(first.valid_from)}, after the mail was decided on"


def no_member(kind: str, roles: Collection[str]) -> str:
    """Why no copy was for somebody."""
    if kind == "owner":
        return "the mail was for the list's owners and moderators, and they were none of these"
    if not roles:
        return "they were never a member of the list"
    told = " and ".join(sorted(roles))
    return f"they were {told} of the list, but no member: posts go to members"


def went_on(lists: Collection[str]) -> str:
    """Which lists a post was passed on to, where it is a post of its own."""
    places = " and ".join(lists)
    return f"; the post went on to {places}: ask about its post there" if lists else ""


def gone(one: Change, by: str) -> str:
    """What somebody did between a decision and the queueing of copies."""
    return f"before their copy was queued, at {at(one.ts)}: {changed(one, by)}"


def waits(wait: Wait) -> str:
    """What a queued copy waits for."""
    again = f"; will be tried again at {at(wait.due)}" if wait.due else ""
    return f"queued in chunk {wait.chunk}, {wait.why or 'to be tried again'}{again}"


def theirs_since(since: datetime) -> str:
    """Of an address that is newer than the copy."""
    return (
        f"hint: this address became theirs only at {at(since)}: the copy went to the one they had "
        "before"
    )


def theirs_until(until: datetime, current: str, *, before: bool) -> str:
    """Of an address that was given up, after the copy was first tried or `before` that."""
    told = f"hint: this address is theirs no more, since {at(until)}"
    told += f"; their copies go to {current}" if current else ""
    return f"{told}, but this one was sent when they still had it" if before else told


def elsewhere(current: str) -> str:
    """Where copies go."""
    return f"hint: their copies go to {current}; from the other address they only write"


def _by(how: str, by: str) -> str:
    """How and by whom, in brackets."""
    told = ", ".join(filter(None, (how if how not in by else "", f"by {by}" if by else "")))
    return f" ({told})" if told else ""
