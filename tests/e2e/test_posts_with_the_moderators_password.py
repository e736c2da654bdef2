"""A moderator's password passes a post, and no member ever sees it, right or wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.system import World, mail, world
from tests.peers.records import Record

pytestmark = pytest.mark.e2e
LIST, ANNA, BOB = "team@example.org", "anna@example.net", "bob@example.net"
PASSWORD = "correct horse battery"
WRONG = "wrong donkey battery"
IN_HTML = (
    "--b\r\nContent-Type: text/plain\r\n\r\nApproved: {0}\r\n\r\nNews, {1}\r\n"
    "--b\r\nContent-Type: text/html\r\n\r\n<p>Approved: {0}</p><p>News, {1}</p>\r\n--b--\r\n"
)


def post(name: str, password: str, *, where: str) -> bytes:
    """A post with a password there."""
    if where == "header":
        return f"Approved: {password}\r\n".encode() + mail(name)
    if where == "text":
        return mail(name, body=f"\r\nApproved: {password}\r\nDear all, {name}\r\n")
    made = mail(name, body=IN_HTML.format(password, name))
    return b'Content-Type: multipart/alternative; boundary="b"\r\n' + made


def data(record: Record) -> str:
    """All of a copy."""
    return Path(record.file).read_text()


async def outcome(here: World) -> tuple[set[str], dict[str, str]]:
    """The Subjects of what Bob has, and why others were held."""
    shown = await here.road.cli("post", "ls", "--held", "--limit", "50", "--json")
    held = {row["subject"]: row["reason"] for row in shown.json}
    got = set()
    for record in here.sink.records():
        if record.recipients == (BOB,):
            got.add(record.headers.split("Subject: ")[1].partition("\r\n")[0])
    return got, held


async def test_a_password_passes_and_is_never_seen(tmp_path: Path) -> None:
    """Everything is held in an emergency, but for posts with the right password, wherever it
    stands; a wrong one passes none. What goes out, what is shown and what is stored of the list
    does not hold it."""
    secret = tmp_path / "moderators"
    secret.write_text(PASSWORD + "\n")
    async with world(tmp_path, keep=True) as here:
        await here.road.make_list(LIST, [ANNA, BOB], default_member_action="hold")
        await here.road.make_list("open@example.org", [ANNA, BOB])
        refused = await here.road.cli("list", "set", LIST, f"moderator_password={PASSWORD}")
        assert (refused.code, "@FILE" in refused.err) == (2, True)
        given = ("list", "set", LIST, f"moderator_password=@{secret}", "emergency=true")
        changed = await here.road.cli(*given)
        assert changed.code == 0, changed.err
        for where in ("header", "text", "html"):
            here.post(post(f"right-{where}", PASSWORD, where=where))
            here.post(post(f"wrong-{where}", WRONG, where=where))
        mistaken = post("mistaken", PASSWORD, where="text").replace(b"team@", b"open@")
        here.post(mistaken)
        here.post(post("stuck", PASSWORD, where="text") + f"by the way, {PASSWORD}\r\n".encode())
        here.post(post("quoted", PASSWORD, where="header") + f"> {PASSWORD}\r\n".encode())
        await here.road.settled(9)
        got, held = await outcome(here)
        right = {f"[Team] post right-{where}" for where in ("header", "text", "html")}
        assert got == right | {"[Open] post mistaken"}
        wrong = {f"post wrong-{where}" for where in ("header", "text", "html")}
        assert set(held) == {"post stuck", "post quoted"} | wrong
        assert "approved: the password that it carries is wrong" in held["post wrong-text"]
        for name in ("stuck", "quoted"):
            assert "content-filter: a moderator's password stands in it" in held[f"post {name}"]
        shown = await here.road.cli("list", "show", LIST)
        assert "(set)" in shown.out
        copies = [data(record) for record in here.sink.records()]
        assert all("News" in copy or "Dear all" in copy for copy in copies)
        traces = [shown.out, *copies, *(here.road.log(name) for name in here.road.processes)]
        for stream in ("LISTS", "RECEIVED", "ROUTED"):
            traces += [stored.data.decode() async for stored in here.road.broker.scan(stream, ">")]
        for trace in traces:
            assert "horse" not in trace
            assert "donkey" not in trace
        assert not here.sink.violations()
