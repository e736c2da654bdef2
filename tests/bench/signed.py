"""Signed copies: what one core composes and signs, and what the whole road sends.

The first figures are of `compose` alone, copies a second of CPU: a personal copy of a 4 KB mail
with its own fields, tokens and signature, header hash included. The others are posts to 10,000
members in personal mode, clocked as in tests.bench.fanouts; the seal (ARC) is made once a post.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial

from cryptography.hazmat.primitives import serialization

from postroad.mail.dkim import Key
from postroad.mail.headers import scan
from postroad.mail.tokens import TokenMaker
from schemas.mail import RawRef
from schemas.road import Copy
from services.sender.compose import prepare
from services.sender.signing import Signer
from tests.bench.fanouts import ROUNDS, rounds
from tests.bench.figures import Figure
from tests.bench.road import BUILD, Road, mail
from tests.bench.yardsticks import Bound, source_rate
from tests.e2e.system import smtp_relay
from tests.peers.signingkeys import ed25519_key, rsa_key
from tests.peers.smtpsink import SmtpSink

MEMBERS = 10_000
DOMAIN, LIST = "example.org", "signed@example.org"
KINDS = {
    "unsigned": (None, None, 20_000),
    "ed25519": (ed25519_key(DOMAIN), Bound(5_000, at_least=True), 10_000),
    "rsa-2048": (rsa_key(DOMAIN), Bound(1_500, at_least=True), 3_000),
}


async def measure() -> AsyncIterator[Figure]:
    """Unsigned, with Ed25519, with RSA-2048."""
    for name, (key, need, copies) in KINDS.items():
        rates = [_rate([key] if key else [], copies) for _ in range(ROUNDS)]
        yield Figure.median(f"one core: personal copies, {name}", rates, "msg/s", need=need)
    for name, (key, need, _) in KINDS.items():
        if key is not None:
            yield await _road(name, key, need)


def _rate(keys: Sequence[Key], copies: int) -> float:
    """Personal copies a second of CPU."""
    raw = mail("signed", LIST)
    copy = Copy(
        raw=RawRef(mail_id="0" * 32, chunks=1, size=len(raw), sha256="", head=scan(raw)[1]),
        list="signed",
        list_address=LIST,
        bounces=("signed-bounces+", f"@{DOMAIN}"),
        leave=("signed-leave+", f"@{DOMAIN}"),
        unsubscribe_url=f"https://{DOMAIN}/u/",
        post=7,
    )
    post = prepare(raw, copy, "f" * 32, TokenMaker(bytes(32)), signer=Signer(keys, 1))
    people = [f"{number:024x}" for number in range(copies)]
    began = time.process_time()
    for number, person in enumerate(people):
        post.personal(number, person)
    return copies / (time.process_time() - began)


async def _road(name: str, key: Key, need: Bound | None) -> Figure:
    pem = key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    BUILD.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=BUILD) as file:  # for nobody else to read
        file.write(pem)
        file.flush()
        signed = f'[[domain]]\nname = "{DOMAIN}"\ndkim_key_file = "{file.name}"\n'
        async with (
            SmtpSink.start() as sink,
            Road.start(sink.port, relays=smtp_relay(sink.port) + signed) as road,
        ):
            await road.seed(LIST, MEMBERS)
            yardstick = partial(source_rate, sink.port, MEMBERS)
            made = await rounds(road, LIST, MEMBERS, yardstick)
    return made.per_second(f"{MEMBERS:,} recipients, personal, {name}", need)
