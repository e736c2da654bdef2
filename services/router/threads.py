"""THREADS: which posts of a list have which Message-ID: so that each is posted once, and so that
answers find what they answer. Mail to owners is claimed there too."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import msgspec

from postroad.runtime.broker import Broker
from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import Conflict
from projections.lists import List
from schemas import subjects
from schemas.road import MailReceived, OwnerMailRouted, PostRouted
from schemas.threads import Named, Posted
from services.router import conversation, decider
from services.router.conversation import Place, key
from services.router.copies import BEEN_THERE, copy_id

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Named).decode


class Threads:
    """The posts of lists, by Message-ID. A post costs one publish, an answer one question more."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def place(self, known: List, mail: MailReceived, mail_id: str) -> Place:
        """Claim a post for its list, and find where it stands.

        A copy that a list of ours sent is what its original is, whatever became of its From; with
        another body it stands for itself, or a false trace could claim the post of somebody else.
        Who is killed after its claim finds it when the mail comes again.
        """
        original = await self._original(mail)
        meant = original if original.body_sha256 == mail.body_sha256 else mail
        post = Posted(mail=mail_id, text=decider.digest(meant))
        # answers may name the id that members see, or that of the mail its author has
        names = (_claimed(meant), copy_id(mail, known), mail.facts.message_id)
        own = [*dict.fromkeys(key(each) for each in names if each)]
        named = conversation.before(mail.facts)
        copies = {key(each): copy for each in named if (copy := conversation.copy_of(each))}
        follows = [key(each) for each in named]
        look = bool(named)  # what begins a conversation is rarely known
        while True:
            subject = {each: subjects.thread(known.slug, each) for each in (*own, *follows)}
            stored = await self._broker.last_many("THREADS", subject.values()) if look else {}
            met = {each: stored[name] for each, name in subject.items() if name in stored}
            knows = {each: _decode(last.data) for each, last in met.items()}
            knows |= await self._copied(known.slug, copies)
            had = [knows[each] for each in own if each in knows]
            if first := await self._changed(mail, mail_id, had):
                return Place(first=first)
            found, changes = conversation.place(post, own, follows, knows)
            try:
                for each, change in changes.items():
                    expect = met[each].seq if each in met else 0
                    await self._broker.publish(subject[each], _encode(change), expect=expect)
            except Conflict:  # another router, or an earlier try, was ahead
                look = True
                continue
            if changes:
                crashpoint("router.after_claim")
            return found

    async def _changed(self, mail: MailReceived, mail_id: str, had: Sequence[Named]) -> str:
        """The post that is this mail, but for what a list did to one of the two on its way."""
        if not mail.facts.message_id:
            return ""
        for each in dict.fromkeys(posted.mail for met in had for posted in met.posts):
            if each == mail_id or not conversation.within(each, mail_id, conversation.CHANGED):
                continue
            earlier = await self._received(each)
            same_id = earlier and earlier.facts.message_id == mail.facts.message_id
            if earlier and same_id and conversation.changed_on_the_way(mail, earlier):
                return each
        return ""

    async def told(self, mail: OwnerMailRouted, text: str) -> str:
        """Claim a mail to the owners of a list or domain, by its digest `text`; the one that said
        the same to them before and came by another way, or an empty string."""
        if not text:
            return ""
        subject = subjects.thread(mail.list, key(f"owner {mail.domain} {text}"))
        while True:
            met = await self._broker.last("THREADS", subject)
            if met is not None:
                first = _decode(met.data).posts[0].mail
                if conversation.within(first, mail.mail_id, conversation.COPIES):
                    return "" if first == mail.mail_id else first
            mine = Named(thread="", posts=(Posted(mail=mail.mail_id, text=text),))
            with contextlib.suppress(Conflict):  # another router was ahead
                expect = met.seq if met else 0
                await self._broker.publish(subject, _encode(mine), expect=expect)
                return ""

    async def original_at(self, slug: str, mail: MailReceived) -> str:
        """The id under which this list has posted the mail that `mail` is a copy of, if it has.

        The body is not asked for: the relay may have changed it, and all that a false trace
        costs is the mail that bears it.
        """
        original = await self._original(mail)
        text = "" if original is mail else decider.digest(original)
        if not text:
            return ""
        met = await self._broker.last("THREADS", subjects.thread(slug, key(_claimed(original))))
        posts = _decode(met.data).posts if met else ()
        first = next((each.mail for each in posts if each.text == text), "")
        return "" if first == mail.mail_id else first

    async def _copied(self, slug: str, copies: Mapping[str, str]) -> dict[str, Named]:
        """The posts of this list whose copies had Message-IDs of their own."""
        found: dict[str, Named] = {}
        for each, mail_id in copies.items():
            stored = await self._broker.last("ROUTED", subjects.routed("post", slug, mail_id))
            for event in stored.envelope().events if stored else ():
                if isinstance(event, PostRouted):
                    post = Posted(mail=mail_id, text="")
                    found[each] = Named(posts=(post,), thread=event.thread or mail_id)
        return found

    async def _original(self, mail: MailReceived) -> MailReceived:
        """The mail as its author sent it, before any list of ours; `mail` itself where it is so,
        or where its trace names no post."""
        for _ in range(BEEN_THERE):
            trace = mail.facts.trace
            if not trace or not await self._posted(trace):
                break
            before = await self._received(trace)
            if before is None:
                break
            mail = before
        return mail

    async def _received(self, mail_id: str) -> MailReceived | None:
        stored = await self._broker.last("RECEIVED", subjects.received("*", mail_id))
        events = stored.envelope().events if stored else ()
        return next((each for each in events if isinstance(each, MailReceived)), None)

    async def _posted(self, trace: str) -> bool:
        post = subjects.routed("post", "*", trace)
        return await self._broker.last("ROUTED", post) is not None


def _claimed(mail: MailReceived) -> str:
    """What a post is claimed under: its Message-ID, or, where it has none, what it says."""
    return mail.facts.message_id or decider.digest(mail)
