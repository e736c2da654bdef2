"""What a list's policies make of a wish to join or to leave. Pure.

Who is `proved` wrote the mail beyond doubt, who has `confirmed` answered a question by its token.
Owners are only asked about people who are one or the other: a forger has them asked nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from schemas.lists import ListSettings, Policy
from schemas.pending import Action

Step = Literal["do", "ask", "wait"]  # at once; the person first; the owners first


def for_owners(settings: ListSettings, action: Action) -> bool:
    """Whether it is the owners who decide on it in the end."""
    decided: Mapping[Action, Policy] = {
        "join": settings.subscription_policy,
        "leave": settings.unsubscription_policy,
    }
    return decided.get(action) in ("moderate", "confirm_then_moderate")


def joining(policy: Policy, *, proved: bool, confirmed: bool, invited: bool = False) -> Step:
    """What comes next for somebody who would join. Under `confirm` a proved From is asked, too:
    consent is an answer. Whom the owners `invited` needs no other leave of theirs."""
    if policy == "open":
        return "do"
    if not confirmed and (policy != "moderate" or not proved):
        return "ask"
    return "do" if policy == "confirm" or invited else "wait"


def leaving(policy: Policy, *, proved: bool, confirmed: bool) -> Step:
    """What comes next for somebody who would leave by a mail without a leave token; with one
    nobody is ever kept."""
    if policy == "open":
        return "do"
    if not confirmed and (policy == "confirm_then_moderate" or not proved):
        return "ask"
    return "do" if policy == "confirm" else "wait"
