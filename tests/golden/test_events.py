"""Golden files: `events/<type>.<version>.json` is an event as that version stored it, for ever.
What a later release wrote into the same version has a file `<type>.<version>-<what>.json` more.

A new event, or a new version of one, comes with its file (every field set, written by hand or
by `codec.encode`) and a line in RELEASED. Neither a file nor a line is ever changed or removed:
streams out there hold such bytes.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas import codec

EVENTS = Path(__file__).parent / "events"
RELEASED = [
    "address_dropped.1",
    "bounce_routed.1",
    "bounces_read.1",
    "chunk_queued.1",
    "chunk_queued.1-footer",
    "command_done.1",
    "command_routed.1",
    "command_routed.1-domain",
    "confirmation_asked.1",
    "confirmation_asked.1-address",
    "confirmation_asked.1-invited",
    "confirmation_asked.1-text",
    "confirmation_used.1",
    "confirmation_withdrawn.1",
    "contacted.1",
    "failures_told.1",
    "fanout_done.1",
    "fanout_progressed.1",
    "held_accepted.1",
    "held_told.1",
    "list_closed.1",
    "list_configured.1",
    "list_created.1",
    "list_created.1-rules",
    "list_letter_set.1",
    "mail_received.1",
    "mail_received.1-named",
    "mail_received.1-opening",
    "mail_received.1-waits",
    "mail_refused.1",
    "mail_stopped.1",
    "mail_stopped.1-moderator",
    "mail_unrouted.1",
    "member_bounced.1",
    "member_bounced.1-delayed",
    "member_bounced.1-proved",
    "member_bounced.1-server",
    "member_changed.1",
    "member_changed.1-copies",
    "member_changed.1-reason",
    "member_moved.1",
    "member_probed.1",
    "member_subscribed.1",
    "member_subscribed.1-consent",
    "member_subscribed.1-since",
    "member_unsubscribed.1",
    "member_unsubscribed.1-reason",
    "member_warned.1",
    "owner_mail_routed.1",
    "owner_mail_routed.1-domain",
    "parked.1",
    "parked_resolved.1",
    "person_erased.1",
    "person_known.1",
    "person_known.1-secondary",
    "post_routed.1",
    "post_routed.1-conversation",
    "post_routed.1-footer",
    "post_routed.1-hits",
    "post_routed.1-without",
    "probe_queued.1",
    "removal_due.1",
    "request_decided.1",
    "request_made.1",
    "verdict_asked.1",
    "verdict_asked.1-request",
    "window_recorded.1",
    "window_recorded.1-doubtful",
    "window_recorded.1-late",
    "window_recorded.1-split",
    "window_recorded.1-withheld",
]
CURRENT = [
    f"{type_.__struct_config__.tag}.{codec._CURRENT.get(type_, 1)}" for type_ in codec.EVENTS
]


@pytest.mark.parametrize("name", RELEASED)
def test_what_was_ever_stored_still_decodes(name: str) -> None:
    """Each released (type, version) decodes, for ever, to an event of its current version."""
    envelope = codec.decode((EVENTS / f"{name}.json").read_bytes())
    (event,) = envelope.events
    assert event.v == codec._CURRENT.get(type(event), 1)


@pytest.mark.parametrize("name", CURRENT)
def test_no_field_is_renamed_dropped_or_retyped(name: str) -> None:
    """An event of the current version is written back as it was read; what later releases added
    to it may stand beside."""
    golden = (EVENTS / f"{name}.json").read_bytes()
    again = codec.encode(codec.decode(golden))
    assert holds(msgspec.json.decode(again), msgspec.json.decode(golden))


def holds(found: object, golden: object) -> bool:
    """Whether everything in `golden` is in `found`, in the same place."""
    match golden:
        case dict():
            return isinstance(found, dict) and all(
                key in found and holds(found[key], value) for key, value in golden.items()
            )
        case list():
            return (
                isinstance(found, list)
                and len(found) == len(golden)
                and all(map(holds, found, golden))
            )
        case _:
            return found == golden


def test_no_released_event_disappears() -> None:
    """There is a golden file for each released (type, version), and no other file."""
    assert sorted(path.stem for path in EVENTS.iterdir()) == RELEASED


def test_every_event_has_a_golden_file() -> None:
    """An event cannot be released without its golden file."""
    assert set(CURRENT) <= set(RELEASED)
