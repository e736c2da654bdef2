"""How many processes of each service run."""

from __future__ import annotations

import pytest

from postroad.runtime.errors import UsageError
from postroad.runtime.scaling import chosen, labels
from postroad.runtime.service import BESIDE, ROAD
from postroad.runtime.settings import Relay

THERE = (*BESIDE, *ROAD)


def test_one_of_each_unless_said_otherwise() -> None:
    """All that the settings ask for runs once; --only leaves out, --scale adds."""
    assert set(chosen(THERE, (), (), ()).values()) == {1}
    counts = chosen(THERE, ("sender", "router"), ("sender=3",), (Relay(),))
    assert {name: count for name, count in counts.items() if count} == {"router": 1, "sender": 3}
    assert labels("sender", 3) == ["sender", "sender-2", "sender-3"]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("ingest=2", "each mailbox is read by one process"),
        ("projector=2", "analytics.duckdb"),
        ("janitor=2", "would only delete the same"),
        ("web=2", "has its port"),
        ("sendr=2", "no service that would run; there are: "),
        ("sender", "say how many, 1 to 16: --scale sender=2"),
        ("sender=0", "say how many"),
        ("sender=17", "say how many"),
        ("sender=two", "say how many"),
        ("sender=²", "say how many"),
    ],
)
def test_what_may_not_be_is_refused_with_the_reason(word: str, told: str) -> None:
    """Who may run once only, and what is no number, is named with why."""
    with pytest.raises(UsageError, match=r"^--scale ") as refused:
        chosen(THERE, (), (word,), ())
    assert told in str(refused.value)


@pytest.mark.parametrize("limit", [{"daily": 500}, {"rate": "50/s"}, {"warm_up": (50, 100)}])
def test_two_senders_would_send_twice_a_limit(limit: dict[str, object]) -> None:
    """A relay's limits are counted by one sender, so that there may be no second."""
    relay = Relay(name="out", **limit)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"relay out has .*, which a sender counts for itself"):
        chosen(THERE, (), ("sender=2",), (relay,))
    assert chosen(THERE, (), ("sender=1", "router=2"), (relay,))["router"] == 2


def test_who_is_left_out_is_not_many() -> None:
    """--only and --scale must not say the opposite of each other."""
    with pytest.raises(UsageError, match="--only leaves sender out"):
        chosen(THERE, ("router",), ("sender=2",), ())
