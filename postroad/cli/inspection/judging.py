"""What the router would decide on a mail at each list, and how copies would differ from it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from postroad.cli.inspection.evidence import Evidence
from postroad.mail import edits
from postroad.mail.addresses import Match
from postroad.mail.fields import fields
from postroad.mail.headers import APPROVAL
from postroad.mail.wire import canonical
from postroad.mail.words import printable, text_of
from postroad.runtime.blobs import CHUNK, RawMail
from projections.lists import List
from schemas.commands import Author
from schemas.mail import RawRef
from schemas.road import HeldAccepted, OwnerMailRouted, PostRouted
from services.router import copies, decider, rules
from services.router.content.filter import ContentFilter
from services.router.content.workers import Workers
from services.router.context import Context, Hooked, Looked
from services.router.hooking import Hooks
from services.router.looking import Looker
from services.router.lookups.asking import Lookups

LINE_CHARS = 500  # of a header field that are shown


@dataclass(frozen=True)
class Asked:
    """One rule: whether it hit, and why, or what it looks for."""

    rule: str
    hit: bool
    reason: str


@dataclass(frozen=True)
class Decision:
    """What would become of a mail at one address. `kind` is what it is there (post, owner, command,
    bounce); `verdict` is accept, hold, reject or discard, and `rule` what decides. `removed` and
    `added` are header fields of its copies, as lines; of a mail that is stopped, as if a moderator
    let it through."""

    list: str
    kind: str
    verdict: str
    rule: str = ""
    rules: tuple[Asked, ...] = ()
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


class InHand(RawMail):
    """A mail whose bytes lie in no stream."""

    def __init__(self, ref: RawRef, data: bytes) -> None:
        self.ref = ref
        self._data = data

    async def start(self) -> bytes:
        """Its first 256 KiB."""
        return self._data[:CHUNK]

    async def whole(self) -> bytes:
        """All of it that was read."""
        return self._data


@dataclass
class Judge:
    """Decides as the router does, without a broker. Without `lookups` nobody is asked about the
    mail: name servers, spamd."""

    header_checks: Sequence[str] = ()
    hooks: Hooks = field(default_factory=lambda: Hooks(()))
    lookups: Lookups | None = None
    workers: Workers = field(default_factory=Workers)

    async def decide(
        self, found: Evidence, to: Match, known: List, author: Author, authserv_id: str = ""
    ) -> Decision:
        """The decision at this address. Raises Retry where no worker can be started."""
        mail = found.mail
        if to.sub == "bounces" or (not to.sub and decider.bounces_here(mail, known)):
            return Decision(known.address, "bounce", "accept")
        if to.sub not in ("", "owner"):
            return Decision(known.address, "command", "accept")
        trouble = ""
        if not to.sub and self.hooks.rewrites(mail):
            mail, data, trouble = await self.hooks.rewrite(mail, known, author, found.data)
            found = replace(found, data=data, mail=mail)
        looked = await self._looked(found, to, known, author, authserv_id)
        looked = replace(looked, hooked=Hooked(trouble=trouble)) if trouble else looked

        def asked(accepted: HeldAccepted | None = None) -> PostRouted | OwnerMailRouted | str:
            kind, event = decider.decide(
                mail,
                to,
                known,
                author,
                authserv_id=authserv_id,
                looked=looked,
                accepted=accepted,
            )
            return event if isinstance(event, PostRouted | OwnerMailRouted) else kind

        outcome = asked()
        if outcome == "command":
            return Decision(known.address, "command", "accept")
        context = Context(mail, known, author, looked=looked)
        table = rules.OWNER if to.sub else rules.POST
        rulings = rules.ask(table, context)
        if isinstance(outcome, str):  # how copies would differ, if a moderator let it through
            accepted = HeldAccepted(mail_id=mail.mail_id, list=known.slug, held=0, raw=mail.raw)
            outcome = asked(accepted)
        removed, added = ((), ()) if isinstance(outcome, str) else _changes(found, outcome, known)
        decisive = rules.decisive(rulings)
        return Decision(
            known.address,
            "owner" if to.sub else "post",
            decisive.verdict or "accept",
            decisive.rule,
            tuple(_rows(rulings, table, decisive)),
            removed,
            added,
        )

    async def aclose(self) -> None:
        """Ask nobody any more."""
        await self.workers.aclose()
        if self.lookups:
            await self.lookups.aclose()

    async def _looked(
        self, found: Evidence, to: Match, known: List, author: Author, authserv_id: str
    ) -> Looked:
        """What rules need beyond the facts."""
        if to.sub:
            return Looked()
        raw = InHand(found.mail.raw, found.data)
        looked = await Looker(self.header_checks).look(found.mail, known, raw)
        if self.lookups:
            looked = await self.lookups.add(looked, found.mail, known, raw, authserv_id)
        looked = await self.hooks.add(looked, found.mail, known, author, raw)
        job = ContentFilter.job(found.mail, known.settings)
        if job is None:
            return looked
        return replace(looked, filtered=await self.workers.left_of(found.data, job))


def _rows(
    rulings: Sequence[rules.Ruling], table: Sequence[rules.Rule], decisive: rules.Ruling
) -> Iterator[Asked]:
    for ruling, rule in zip(rulings, table, strict=True):
        last = rule is table[-1] and ruling is not decisive  # it hits where nothing else decides
        if ruling.hit is None or last:
            yield Asked(ruling.rule, hit=False, reason=f"looks for: {_about(rule)}")
        else:
            would = "" if ruling is decisive else "would "
            verdict = f" ({would}{ruling.verdict})" if ruling.verdict else ""
            yield Asked(ruling.rule, hit=True, reason=f"{ruling.hit.reason}{verdict}")


def _about(rule: rules.Rule) -> str:
    """What a rule looks for, as the first line of its file says."""
    page = (sys.modules[rule.check.__module__].__doc__ or "").strip().partition("\n")[0]
    return page.partition(": ")[2].partition(" (")[0].rstrip(".")


def _changes(
    found: Evidence, event: PostRouted | OwnerMailRouted, known: List
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The header fields that a copy lacks, and those it has instead, in their order."""
    if isinstance(event, PostRouted) and not found.cut:
        event = copies.decorated(event, known, found.data)
    before = canonical(found.data[: found.mail.raw.head])
    after = edits.apply(before, event.edits)
    old, new = _fields(before), _fields(after)
    return tuple(_less(old, new)), tuple(_less(new, old))


def _fields(block: bytes) -> list[str]:
    lines = (
        each.name + b": (a password)"
        if each.name.lower().decode() in APPROVAL
        else block[each.start : each.end]
        for each in fields(block)
    )
    return [printable(text_of(b" ".join(line.split())), LINE_CHARS) for line in lines]


def _less(some: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    left = Counter(others)
    for each in some:
        if left[each]:
            left[each] -= 1
        else:
            yield each
