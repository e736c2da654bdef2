"""Verdicts in moderators' replies: a token says on what, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.pending import VerdictAsked
from services.membership.directory import Listed
from services.membership.moderation import decider, words
from services.membership.moderation.decider import Decided, State
from services.membership.moderation.verdicts import Verdicts
from services.membership.owners import Owners
from services.membership.refused import Refused
from services.membership.requests.reply import BY_PROGRAM, Reply
from services.membership.roster import Roster


class RepliedVerdicts:
    """Carries them out, and says what came of them."""

    def __init__(self, verdicts: Verdicts, owners: Owners, roster: Roster) -> None:
        self._lists = roster.feed.lists
        self._verdicts = verdicts
        self._owners = owners
        self._roster = roster

    async def obey(
        self,
        listed: Listed,
        asked: VerdictAsked,
        *,
        token: str,
        subject: str,
        text: str,
        cause: str,
        mail_id: str,
    ) -> Reply:
        """What came of a reply with this subject and first text, which is the mail `mail_id`;
        `cause` is the id of the decision to obey it. Who is answered is the moderator whose token
        it is, whoever wrote."""
        to = await self._owners.address(listed, asked.person, correlation=mail_id)
        if not to:
            return Reply("refused", "the token is of nobody who runs the list now")
        program = words.by_program(subject, text)
        if not asked.mail_id:
            return BY_PROGRAM if program else Reply("refused", "it names no mail", "held_which", to)
        state = await self._verdicts.look(asked.list, asked.mail_id)
        if state.decided is not None and state.decided.cause != cause:
            return await self._already(state, state.decided, asked, to)
        if program:
            return BY_PROGRAM
        verdict = words.verdict(text)
        if verdict is None:
            fields = {"token": token, **_about(state)}
            return Reply("refused", "no verdict in its first line", "held_unclear", to, fields)
        try:
            decided = await self._verdicts.give(
                listed, asked.mail_id, verdict, actor=f"person:{asked.person}", cause=cause
            )
        except Refused as refused:
            state = await self._verdicts.look(asked.list, asked.mail_id)
            if state.decided is not None:
                return await self._already(state, state.decided, asked, to)
            if refused.code == "password":
                fields = {"token": token, **_about(state)}
                return Reply(
                    "refused", "it tells a moderator's password", "held_password", to, fields
                )
            return Reply("refused", str(refused), "list_closed", to)
        fields = {"verdict": _said(decided), **_about(state)}
        return Reply("decided", decided.ended, "held_decided", to, fields, owed=True)

    async def stray(self, at: Listed, asked: VerdictAsked, *, correlation: str) -> Reply:
        """A reply that came to the list `at`, by a token of another list: nothing is done, and the
        moderator whose token it is reads so, where they may know of both."""
        listed = self._lists.get(asked.list)
        reason = "the token is of another list"
        if listed is None or listed.state.domain != at.state.domain:
            return Reply("refused", reason)
        to = await self._owners.address(listed, asked.person, correlation=correlation)
        fields = {"other": listed.state.address}
        return Reply("refused", reason, "held_elsewhere" if to else "", to, fields)

    async def _already(self, state: State, decided: Decided, asked: VerdictAsked, to: str) -> Reply:
        """Somebody was faster, or the same person was before."""
        kind, _, person = decided.actor.partition(":")
        who = ""
        if kind == "person":
            who = "you" if person == asked.person else await self._roster.address(person)
        fields = {"verdict": decider.told(decided, who), **_about(state)}
        return Reply("refused", "the mail is decided", "held_already", to, fields)


def _about(state: State) -> Mapping[str, str]:
    return {"subject": state.held.subject if state.held is not None else ""}


def _said(decided: Decided) -> str:
    if decided.ended == "accepted":
        return "accepted, with its sender from now on" if decided.always else "accepted"
    return f"{decided.ended} ({decided.reason})" if decided.reason else decided.ended
