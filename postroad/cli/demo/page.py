"""What the demo shows when it is through: the copies, what the list added, timeline, trace."""

from __future__ import annotations

from postroad.cli.demo.contact import ourselves
from postroad.cli.demo.journey import Journey
from postroad.cli.demo.screen import Screen
from postroad.cli.output import print_table
from postroad.cli.post import print_timeline
from postroad.cli.trace import print_waterfall

TAIL = 6  # characters of a token that are shown: its end, which differs


def show_results(screen: Screen, journey: Journey) -> None:
    """Everything that came of it, as far as it came."""
    if journey.report.copies:
        screen.heading("The copies, read back by IMAP")
        print_table(
            ("member", "envelope sender", "subject", "body"),
            (
                (
                    copy.member,
                    shortened(copy.return_path),
                    copy.subject,
                    "identical" if copy.body_identical else "ALTERED",
                )
                for copy in journey.report.copies
            ),
        )
        last = journey.report.copies[-1]
        screen.heading(f"What the list put into the header, for {last.member}")
        screen.pairs(last.added)
    if journey.story is not None:
        screen.heading("The timeline, from the events")
        print_timeline(journey.story)
    if journey.spans:
        screen.heading("The trace, from the mailbox to each SMTP window")
        print_waterfall(journey.spans)


def show_ending(screen: Screen, home: str) -> None:
    """What was shown, in a line, and what to try next."""
    screen.heading("Every copy arrived once, unaltered, and every step is on record.")
    if home:
        screen.text(f"Settings, log and events stay in {home}")
    screen.text(
        f"Next: `{ourselves()} demo --keep` leaves it running for your own mail client; "
        "README.md puts a real mailbox on the road in ten lines."
    )


def shortened(address: str) -> str:
    """An address with a token, of which only the end is shown."""
    local, at, domain = address.rpartition("@")
    name, plus, token = local.partition("+")
    return f"{name}{plus}…{token[-TAIL:]}{at}{domain}" if len(token) > TAIL else address
