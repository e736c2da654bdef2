"""The letters that answer requests and ask questions, on their way to whom they are for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from postroad.mail.tokens import TokenMaker
from services.membership.directory import Listed
from services.membership.letters import Letter, notice_id
from services.membership.letters.posting import Letterbox
from services.membership.requests.reply import Bundle


class Outbox:
    """Writes letters from a list, each once however often it is asked to."""

    def __init__(self, letterbox: Letterbox, tokens: TokenMaker) -> None:
        self._letterbox = letterbox
        self._tokens = tokens

    async def write(
        self,
        listed: Listed,
        bundle: Bundle,
        *,
        cause: str,
        number: int = 0,
        at: datetime,
        answering: str = "",
        post: int = 0,
    ) -> str:
        """Queue the letter that is the `number`th because of `cause` (a mail id or command id);
        its id. `answering` is the Message-ID it answers, `post` the ROUTED sequence of the mail."""
        state = listed.state
        notice = notice_id(cause, state.slug, f"answer {number}")
        text, person = " ".join(bundle.texts), bundle.person
        letter = replace(
            Letter.of_list(state, notice, text=text, to=bundle.to, date=at, fields=bundle.fields),
            answering=answering,
            leave_token=self._tokens.leave_token(state.slug, person) if person else "",
        )
        await self._letterbox.send(
            letter, notice=notice, list_slug=state.slug, cause=cause, post=post
        )
        return notice
