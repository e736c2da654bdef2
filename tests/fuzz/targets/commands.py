"""Commands by mail: what people write is a command, or none, and never an error."""

from __future__ import annotations

from postroad.mail.commandwords import TOKEN_CHARS, exact, said, spoken
from postroad.mail.replytext import LINES, written
from postroad.mail.subjectline import bare
from postroad.mail.words import decode
from services.membership.moderation.words import by_program, verdict
from services.membership.requests.words import read
from services.router.subjectcommand import subject_command
from tests.fuzz.taking import taken, text
from tests.unit.router.mails import the_list

NAMES = frozenset(("team", "team@lists.example.org"))
TEAM = the_list(sub_address="none")


def one_input(data: bytes) -> None:
    """A Subject and a text."""
    subject, body = map(text, taken(data, 2))
    subject = decode(subject, 1_000)
    request = read(subject, body, NAMES)
    assert len(set(request.words)) == len(request.words) <= 11
    for each in request.words:
        assert len(each.token) <= TOKEN_CHARS
        assert all(len(address) <= 320 for address in each.addresses)
    assert not (request.strange and request.words)
    if word := exact(subject, NAMES):
        assert spoken(said(bare(subject)), NAMES) is not None or word.token
    if found := subject_command(TEAM, subject):
        assert found.slug == "team"

    lines = written(body)
    assert len(lines) <= LINES
    assert all(lines)
    if given := verdict(body):
        assert given.reason.isprintable()
    assert by_program(subject, body) in (True, False)
