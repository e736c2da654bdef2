"""What the span of a mail says of the decision on it: which list, what it is, which rules hit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from postroad.runtime import instruments
from postroad.runtime.errors import Conflict
from postroad.runtime.metrics import Metrics
from postroad.runtime.telemetry import current
from schemas import subjects
from schemas.envelope import Event
from schemas.road import BounceRouted, MailStopped, PostRouted
from schemas.spans import Attribute


@contextlib.contextmanager
def decided(kind: subjects.Kind, event: Event, list_: str, metrics: Metrics) -> Iterator[None]:
    """Tell the current span of a decision, which the block stores, and count it. That there is one
    already, of an earlier delivery of the same mail, is told as well, and no error."""
    span = current()
    hits = event.hits if isinstance(event, MailStopped | PostRouted) else ()
    decision: dict[str, Attribute] = {"postroad.list": list_, "postroad.kind": kind}
    if rule := event.rule if isinstance(event, PostRouted) else hits[0].rule if hits else "":
        decision["postroad.rule"] = rule
    for hit in hits:
        span.moment("rule hit", {"postroad.rule": hit.rule})
    if "postroad.kind" in span.attributes:  # of a mail to several lists each is told
        span.moment("decision", decision)
    else:
        span.attributes |= decision
    if isinstance(event, BounceRouted) and event.about:
        span.link_mail("bounce", event.about)
    try:
        yield
    except Conflict:
        span.done_before()
        return
    metrics.add(instruments.VERDICTS, kind)
    for hit in hits:
        metrics.add(instruments.RULE_HITS, hit.rule)
