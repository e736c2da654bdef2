"""One trace from the IMAP fetch to each SMTP window, kept by us and told to OTLP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.system import World, mail, until, world
from tests.peers.otlp import Receiver
from tests.peers.records import Record
from tests.peers.sink import Rule, Script

LIST = "team@example.org"
MEMBERS = [f"m{n}@d{n % 3}.example.net" for n in range(40)]
LATE, GONE = MEMBERS[3], MEMBERS[5]
STEPS = {
    "ingest.receive",
    "ingest.fetch",
    "ingest.parse",
    "router.handle",
    "membership.whois",
    "membership.fanout",
    "sender.chunk",
    "sender.window",
}


def report(record: Record) -> bytes:
    """The report that a copy could not be delivered."""
    (to,) = record.recipients
    return (
        "Return-Path: <>\r\nFrom: Mail Delivery <mailer-daemon@gone.example>\r\n"
        f"To: {record.sender}\r\nDelivered-To: {record.sender}\r\nSubject: Undelivered Mail\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nMessage-ID: <b@gone.example>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.gone.example"
        f"\r\n\r\nFinal-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 <{to}> no such user\r\n--b--\r\n"
    ).encode()


async def shown(
    here: World, what: Sequence[str], *, names: set[str], accepted: int = 0, linked: str = ""
) -> Any:
    """What `postroad trace` tells, once it has these steps, so many copies, and this link."""
    found: list[Any] = []

    async def complete() -> bool:
        answer = await here.road.cli("trace", *what, "--json")
        if answer.code != 0 or not names <= {span["name"] for span in answer.json["spans"]}:
            return False
        known = {span["span"] for span in answer.json["spans"]}
        windows = (span for span in answer.json["spans"] if span["name"] == "sender.window")
        if not {span["parent"] for span in windows} <= known:
            return False  # a chunk ends after its windows, and may be told later
        hows = {each["how"] for each in answer.json["linked"]}
        found.append(answer.json)
        said = [span.get("attributes", {}) for span in answer.json["spans"]]
        copies = sum(each.get("postroad.accepted", 0) for each in said)
        return copies >= accepted and (not linked or linked in hows)

    await until(complete, f"the trace {what} has {names} {linked}")
    return found[-1]


async def test_a_copy_leads_back_to_its_mail_and_a_bounce_to_its_window(tmp_path: Path) -> None:
    """Every hop of a post is a span of one trace, whose id each copy carries, back to the IMAP UID;
    a try that comes later is linked to the window that put it off, a bounce to the window that
    sent the copy; `postroad trace` shows it all with nothing installed, and an OTLP backend gets
    the same. Nowhere stands an address."""
    receiver = Receiver()
    later = Rule(at="rcpt", match=f"^{LATE}", per="subject", times=1, reply="450 4.2.0 later")
    async with (
        receiver.listen() as port,
        world(
            tmp_path,
            script=Script(rules=(later,)),
            relay={"retry_after": '"1s"'},
            telemetry=f"http://127.0.0.1:{port}",
        ) as here,
    ):
        await here.road.make_list(LIST, MEMBERS)
        here.post(mail(1))
        records = await here.sink.wait_for(40)
        (trace,) = {record.trace for record in records}
        told = await shown(here, [trace], names=STEPS, accepted=len(MEMBERS))
        spans = told["spans"]
        assert {span["trace"] for span in spans} == {trace}
        by_id = {span["span"]: span for span in spans}
        roots = [span for span in spans if span.get("parent", "") not in by_id]
        assert [span["name"] for span in roots] == ["ingest.receive"]
        assert roots[0]["attributes"]["postroad.uid"] == 1
        windows = [span for span in spans if span["name"] == "sender.window"]
        assert sum(span["attributes"]["postroad.accepted"] for span in windows) == 40
        (again,) = (span for span in spans if span.get("links"))
        assert again["attributes"]["postroad.chunk"] == "0r1"
        (link,) = again["links"]
        put_off = by_id[link["span"]]
        assert (put_off["name"], put_off["attributes"]["postroad.failed"]) == ("sender.window", 1)

        # one person's copy
        copy = await shown(here, [f"{LATE}+{trace[:16]}"], names=STEPS)
        assert [window["span"][36:52] for window in copy["windows"]] == [
            put_off["span"],
            next(w["span"] for w in windows if w["parent"] == again["span"]),
        ]
        assert "put off by out: 450 4.2.0 later" in copy["answers"][0]
        assert "taken by out: 250" in copy["answers"][1]
        assert sum(span["name"] == "sender.chunk" for span in copy["spans"]) == 2

        # what comes back
        (gone,) = (record for record in records if record.recipients == (GONE,))
        here.post(report(gone))
        back = await shown(here, ["b@gone.example"], names={"membership.bounce"}, linked="bounce")
        bounce = next(span for span in back["spans"] if span["name"] == "membership.bounce")
        (link,) = bounce["links"]
        sent = by_id[link["span"]]
        assert (link["trace"], sent["name"]) == (trace, "sender.window")
        forth = await shown(here, [GONE, trace], names=STEPS, linked="bounce")
        assert [window["span"][36:52] for window in forth["windows"]] == [sent["span"]]

        drawn = await here.road.cli("trace", trace)
        told_so = ("linked (bounce)", "UID 1)", "1 put off)", "sender.window (◀ ")
        assert all(each in drawn.out for each in (*STEPS, *told_so))
        assert max(map(len, drawn.out.splitlines())) <= 100
        listed = (await here.road.cli("trace", "ls", "--service", "sender", "--json")).json
        assert trace in {row["trace"] for row in listed}
        unknown = await here.road.cli("trace", f"{trace[:20]}{'0' * 12}")
        assert (unknown.code, "there are no spans of" in unknown.err) == (1, True)

        async def exported() -> bool:
            return {each.trace for each in receiver.spans} >= {trace, back["trace"]} and {
                each.span.name for each in receiver.spans if each.trace == trace
            } >= STEPS

        await until(exported, "the collector has both traces")
        kept = {span["span"] for span in told["spans"]}
        assert kept <= {each.span.span_id.hex() for each in receiver.spans}
        text = drawn.out + str(told) + str(back) + str(receiver.spans)
        assert not any(member in text for member in MEMBERS)
