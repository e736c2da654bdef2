"""Tokens by which moderators answer: 128 bits, one for each mail and moderator, kept in PENDING
where those of confirmations are. Asked for again it is the same token."""

from __future__ import annotations

import base64
import hashlib

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from schemas import codec, subjects
from schemas.pending import VerdictAsked
from services.membership.requests.confirmation import TOKEN_CHARS, key_of

ACTOR = "service:membership"


class Tokens:
    """Gives tokens out."""

    def __init__(self, broker: Broker, site_key: bytes) -> None:
        self._broker = broker
        self._key = site_key

    async def ask(self, list_: str, mail_id: str, person: str, *, request: str = "") -> str:
        """The token for the verdict of this person on this mail, or on the `request` that it made;
        good for another 14 days."""
        words = ("postroad verdict", list_, mail_id, person, *filter(None, [request]))
        bound = "\0".join(words).encode()
        mac = hashlib.blake2b(bound, digest_size=16, key=self._key).digest()
        token = base64.b32encode(mac).decode("ascii").lower()[:TOKEN_CHARS]
        question = VerdictAsked(list=list_, mail_id=mail_id, person=person, request=request)
        message = envelope([question], correlation=mail_id, actor=ACTOR)
        subject = subjects.confirmation(key_of(self._key, token))
        await self._broker.publish(subject, codec.encode(message))
        return token
