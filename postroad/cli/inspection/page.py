"""What was found out about a mail: for programs, and for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from postroad.cli.inspection.evidence import Evidence
from postroad.cli.inspection.judging import Asked, Decision
from postroad.cli.output import print_table, print_wrapped
from services.router.recipients import sent_to


@dataclass(frozen=True)
class Report:
    """All of it. `decisions` is empty where the mail is for no list; `addressed` says whether it
    was sent to the lists decided on, or they were only asked."""

    found: Evidence
    mailbox: str
    one_copy: bool
    decisions: Sequence[Decision]
    addressed: bool
    notes: Sequence[str]

    @property
    def recipients(self) -> tuple[str, ...]:
        """Whom it was sent to, by the best evidence there is."""
        return tuple(dict.fromkeys(sent_to(self.found.mail, self.mailbox, one_copy=self.one_copy)))

    @property
    def kind(self) -> str:
        """What it is: a bounce, else what it is at the first list, or for none of them."""
        kind = self.decisions[0].kind if self.decisions else "unrouted"
        bounce = self.found.bounce
        failed = bounce is not None and bounce.kind not in ("autoreply", "challenge")
        return "bounce" if failed and kind in ("post", "unrouted") else kind


def plain(report: Report) -> dict[str, object]:
    """For programs. The first decision stands at the top, all of them under `decisions`."""
    found = report.found
    facts, bounce = found.mail.facts, found.bounce
    first = report.decisions[0] if report.decisions else None
    return {
        "message_id": facts.message_id,
        "from": ", ".join(box.address for box in facts.from_),
        "recipients": report.recipients,
        "lists": [each.list for each in report.decisions] if report.addressed else [],
        "kind": report.kind,
        "rules": [asdict(row) for row in first.rules] if first else [],
        "verdict": first.verdict if first else None,
        "bounce": bounce
        and {
            "class": bounce.kind,
            "status": bounce.status,
            "recipients": bounce.recipients,
            "diagnostic": bounce.diagnostic,
            "failures": [
                {
                    "recipient": each.recipient,
                    "class": each.kind,
                    "status": each.status,
                    "diagnostic": each.diagnostic,
                }
                for each in bounce.failures
            ],
        },
        "subject": facts.subject,
        "size": found.size,
        "head": found.mail.raw.head,
        "oddities": facts.oddities,
        "decisions": [asdict(each) for each in report.decisions],
        "notes": report.notes,
    }


def show(report: Report) -> None:
    """For people."""
    print_table(("", ""), _facts(report))
    for decision in report.decisions:
        at = decision.list if report.addressed else f"{decision.list} (asked, not addressed)"
        by = f", by the rule {decision.rule}" if decision.rule else ""
        print(f"\nAt {at}: {decision.verdict} ({decision.kind}){by}")
        if decision.rules:
            rows = [(row.rule, _mark(row, decision), row.reason) for row in decision.rules]
            print_table(("rule", "", "why, or what it looks for"), rows, whole=2)
        if decision.removed or decision.added:
            print("\nThe header of its copies differs in:")
            for line in decision.removed:
                print(f"- {line}")
            for line in decision.added:
                print(f"+ {line}")
    for note in report.notes:
        print()
        print_wrapped(f"Note: {note}.")


def _mark(row: Asked, decision: Decision) -> str:
    """What a rule said. Of several the first with a verdict decides, whatever the others would."""
    return ("decides" if row.rule == decision.rule else "hits too") if row.hit else "-"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    found = report.found
    facts, bounce = found.mail.facts, found.bounce
    yield "message-id", facts.message_id or "(none)"
    yield "from", ", ".join(f"{each.name} <{each.address}>".strip() for each in facts.from_)
    yield "subject", facts.subject or "(none)"
    body = max(0, found.size - found.mail.raw.head)
    yield "size", f"{found.size:,} octets, of which the body has {body:,}"
    if facts.content_type:
        yield "type", facts.content_type
    yield "sent to", ", ".join(report.recipients) or "(nobody that it names)"
    yield "is", report.kind
    if facts.oddities:
        yield "odd", "; ".join(facts.oddities)
    if bounce is None:
        yield "bounce", "no"
        return
    yield "bounce", f"{bounce.kind} {bounce.status}".strip()
    for each in bounce.failures[:20]:
        told = " ".join(filter(None, (each.recipient or "(not told)", each.kind, each.status)))
        yield "", f"{told}: {each.diagnostic[:300]}".rstrip(": ")
    if not bounce.failures:
        yield "", f"{', '.join(bounce.recipients)}: {bounce.diagnostic[:300]}".strip(": ")
