"""What owners ask of letters: which there are, what they say, and to say something else."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from functools import reduce

from msgspec.structs import replace

from postroad.mail.addresses import Form
from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id, now
from postroad.runtime.transact import transact
from schemas import subjects
from schemas.commands import Answer
from schemas.envelope import Event
from schemas.letters import LetterRow, LetterShown
from schemas.road import AsOf
from schemas.templates import ListLetters, PreviewLetter, SetLetter
from services.membership import actors, languages, lists
from services.membership.feed import Feed
from services.membership.letters import mailman, own
from services.membership.letters.catalog import placeholders, texts
from services.membership.letters.composing import compose
from services.membership.letters.letter import Letter
from services.membership.letters.readers import Readers
from services.membership.letters.texts import as_typed
from services.membership.letters.wording import Wording
from services.membership.refused import Refused

FOLD_SECONDS = 3.0
READER = "ann@example.net"  # of a preview
TOKEN = "k7dq2xw5h3m6pyz4tnabcrefgu"  # noqa: S105  of a preview; nobody was asked by it
ANSWERED = (  # letters that are answered by a token, besides those that show it
    *("held_one", "held_several", "held_unclear", "held_password"),
    *("request_join", "request_leave", "request_refused"),
)
EXAMPLES: Mapping[str, str] = {
    "subject": "Minutes of Tuesday's meeting",
    "reason": "Please send it without the attachment.",
    "verdict": "was accepted by eve@example.org on 2026-03-09 at 08:30 UTC",
    "count": "2",
    "days": "3",
    "wish": "own_off",
    "waiting": "Subject: Tea\nFrom: Zoe <zoe@example.com>\n| Anyone for tea?",
    "people": "3",
    "other": "example.com",
    "failures": 'the mailbox does not exist ("550 5.1.1 unknown"):\n- bob@example.net',
    "mails": "0195799f5f007d1e: Minutes of May, 3 copies",
    "lists": "team@lists.example.org",
}


class Templates:
    """Letters, as they can be looked at and set."""

    def __init__(self, broker: Broker, feed: Feed, readers: Readers) -> None:
        self._broker = broker
        self._feed = feed
        self.readers = readers

    async def ls(self, ask: ListLetters) -> Answer:
        """What letters say."""
        listed = self._feed.lists.find(ask.list) if ask.list else None
        wording = self.readers.of(listed, self.language(ask.language))
        form: Form = listed.state.settings.sub_address if listed else "dash"
        if ask.letter:
            return Answer(letters=(_row(wording, form, _named(ask.letter)),))
        rows = (replace(_row(wording, form, name), text="") for name in texts())
        return Answer(letters=tuple(rows))  # with all texts it could be too long

    async def set_(self, ask: SetLetter) -> Answer:
        """Have a letter say something else, or ours again."""
        name, language, text = _named(ask.letter), self.language(ask.language), own.kept(ask.text)

        def decide(state: lists.State) -> tuple[Event, ...]:
            if text:
                _check(name, text, state.settings.sub_address)
            return lists.decide_letter(state, letter=name, language=language, text=text)

        slug = self._feed.lists.find(ask.list).state.slug
        events, seq = await transact(
            *(self._broker, "LISTS", subjects.lists(slug)),
            lambda events: reduce(lists.evolve, events, lists.initial),
            decide,
            correlation=new_id(),
            actor=actors.operator(ask.by),
        )
        await self._feed.reached(AsOf(), lists=seq, timeout=FOLD_SECONDS)
        return Answer(changed=len(events), as_of=self._feed.as_of)

    async def preview(self, ask: PreviewLetter) -> Answer:
        """A letter as it would be sent."""
        listed = self._feed.lists.find(ask.list)
        name, language, text = _named(ask.letter), self.language(ask.language), own.kept(ask.text)
        wording = self.readers.of(listed, language)
        form = listed.state.settings.sub_address
        if text:
            _check(name, text, form)
            wording = Wording(wording.languages, {(name, language): text}, wording.site)
        found = wording.find(name, form)
        shown = "welcome" if name == "sign_off" else name
        tokens = {"token", "confirm"} & {*placeholders(name)} or name in ANSWERED
        letter = Letter(
            text=shown,
            to=READER,
            list_address=listed.state.address,
            list_name=listed.state.name,
            list_description=listed.state.settings.description,
            form=form,
            date=now(),
            message_id=f"preview@{listed.state.domain}",
            fields={**EXAMPLES, "token": TOKEN} if tokens else EXAMPLES,
            wording=wording,
        )
        mail = email.message_from_bytes(compose(letter), policy=email.policy.default)
        plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
        assert plain is not None
        assert html is not None
        return Answer(
            letter=LetterShown(
                name=name,
                language=found.language,
                source=found.source,
                sender=str(mail["From"]),
                subject=str(mail["Subject"]),
                plain=str(plain.get_content()).replace("\r\n", "\n"),
                html=str(html.get_content()).replace("\r\n", "\n"),
            )
        )

    def language(self, typed: str) -> str:
        """A language as typed. Raises Refused where there are no letters in it."""
        try:
            return languages.check(typed, self.readers.site.languages)
        except ValueError as error:
            raise Refused("bad_setting", str(error)) from error


def _row(wording: Wording, form: Form, name: str) -> LetterRow:
    found = wording.find(name, form)
    body = found.text.none if form == "none" and found.text.none else found.text.text
    return LetterRow(
        name=name,
        about=found.text.about,
        fields=placeholders(name),
        needs=found.text.needs,
        language=found.language,
        source=found.source,
        own=tuple(language for letter, language in wording.of_list if letter == name),
        mailman=next((theirs for theirs, ours in mailman.NAMES.items() if ours == name), ""),
        text=found.typed or own.typed(found.text, as_typed(body)),
    )


def _named(word: str) -> str:
    try:
        return own.named(word)
    except ValueError as error:
        raise Refused("bad_setting", str(error)) from error


def _check(name: str, text: str, form: Form) -> None:
    try:
        own.check(name, text, form)
    except ValueError as error:
        raise Refused("bad_setting", f"{name}: {error}") from error
