"""What `postroad verify` tells people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.cli.output import counted, print_table, print_wrapped

if TYPE_CHECKING:
    from services.projector.verdict import Difference, Verdict

SHOWN = 20
MEANS = {
    "sequence": "The stream was taken from an older backup, or lost its end.",
    "count": "The broker's store is damaged: look at its log, and restore the backup.",
    "window": "The ledger lacks an entry or has one too many: that post may be told of wrongly.",
    "time": "Nothing is to be done, and nothing is wrong with the analytics.",
}


def show(found: Verdict, *, rows: bool) -> None:
    """Print a verdict: tables, what differs, what to do. With `rows`, messages that differ."""
    columns = ("table", "folded anew", "in use", "sum anew", "sum in use", "verdict")
    print_table(
        columns,
        (
            (t.table, f"{t.rows:,}", f"{t.live_rows:,}", t.sum, t.live_sum, t.verdict)
            for t in found.tables
        ),
    )
    _show_differences(found, rows=rows)
    _show_streams(found)
    print()
    rate = f"{found.events:,} events folded anew in {found.seconds:.1f} s"
    print(
        {"same": "all is the same", "different": "not the same"}.get(found.verdict, "unclear")
        + f": {rate}"
    )
    for line in (*_advice(found), *_remarks(found)):
        print_wrapped(line)


def _show_differences(found: Verdict, *, rows: bool) -> None:
    if not found.differences:
        return
    print()
    columns = ("table", "list", "day", "missing", "extra", "changed", "messages")
    print_table(
        columns,
        (
            (d.table, d.list or "-", d.day, d.missing, d.extra, d.changed, d.messages)
            for d in found.differences[:SHOWN]
        ),
    )
    if len(found.differences) > SHOWN:
        print(f"and {len(found.differences) - SHOWN:,} more; --json has all")
    if rows:
        print()
        for each in found.differences[:SHOWN]:
            print_wrapped(_examples(each))


def _examples(each: Difference) -> str:
    some = ", ".join(f"{seq} {what}" for seq, what in each.some[:SHOWN])
    place = f"{each.table}{f' of {each.list}' if each.list else ''} on {each.day}"
    return f"{place}, by sequence: {some}{', ...' if len(each.some) > SHOWN else ''}"


def _show_streams(found: Verdict) -> None:
    lines = []
    for hole in found.holes[:SHOWN]:
        some = f"{hole.first:,}" if hole.first == hole.last else f"{hole.first:,} to {hole.last:,}"
        lines.append(
            f"hole in {hole.stream}: {some}, of which the analytics have {hole.rows:,} rows"
        )
    if len(found.holes) > SHOWN:
        lines.append(f"and {len(found.holes) - SHOWN:,} more holes; --json has all")
    lines += [f"{each.stream} at {each.seq:,}: {each.detail}" for each in found.regressions]
    if lines:
        print()
    for line in lines:
        print_wrapped(line)


def _advice(found: Verdict) -> list[str]:
    """What it means, and what to do."""
    said = []
    streams = sorted({hole.stream for hole in found.holes})
    tables = {t.table: t for t in found.tables}
    wrong = [tables[each.table] for each in found.differences]
    names = sorted({t.projection for t in wrong if t.stream not in streams})
    harmed = sorted({t.projection for t in wrong if t.stream in streams})
    if names:
        rebuild = ", ".join(f"`postroad rebuild {name}`" for name in names)
        said.append(f"What differs is made anew by {rebuild}; no mail is concerned.")
    if streams:
        said.append(
            f"Events of {', '.join(streams)} are gone, which nothing of Postroad deletes: somebody "
            "did, or the store was damaged. The rows that the analytics have of them stay, also "
            "when they are rebuilt; the events come back with a backup alone."
        )
    if harmed:
        said.append(
            f"Do not rebuild {', '.join(harmed)}: what was folded before these events were gone "
            "may be right where it differs, and cannot be made again."
        )
    said += [MEANS[kind] for kind in MEANS if any(r.kind == kind for r in found.regressions)]
    begun = [each for each in found.streams if each.begins]
    said += [
        f"{each.stream}: the file in use holds {each.checkpoint:,} of {each.last:,} messages; the "
        "projector folds them, ask again later."
        for each in begun
    ]
    begins = {each.stream for each in begun}
    waiting = sorted(
        {
            t.projection
            for t in found.tables
            if t.verdict == "not compared" and t.stream not in begins
        }
    )
    if waiting:
        said.append(
            f"Not compared: {', '.join(waiting)}: made by another release or with other settings, "
            "and folded anew when the projector starts."
        )
    if found.failed:
        said.append(f"{counted(found.failed, 'event')} could not be folded: a fault of ours.")
    return said


def _remarks(found: Verdict) -> list[str]:
    """What was not compared, and why."""
    from services.projector.verdict import FAR

    said = []
    for each in found.streams:
        if each.cut:
            said.append(
                f"{each.stream}: {counted(each.cut, 'message')} at its beginning cannot be folded "
                "without others that it keeps no more, and are not compared."
            )
        if each.unknown:
            count = counted(each.unknown, "event")
            said.append(f"{each.stream}: {count} of a newer release passed over.")
        if each.garbage:
            count = counted(each.garbage, "message")
            said.append(f"{each.stream}: {count} that cannot be decoded passed over.")
        if each.behind >= FAR and not each.begins:
            said.append(f"{each.stream}: {counted(each.behind, 'message')} not folded yet.")
    alone = counted(sum(t.alone for t in found.tables), "row")
    if not alone.startswith("0 "):
        said.append(
            f"{alone} of events that were deleted (mail by its age, addresses by an erasure, "
            "holes) cannot be compared."
        )
    return said
