"""Signed copies: what one core composes and signs, and what the whole road sends.

The first figures are of `compose` alone, copies a second of CPU: a personal copy of a 4 KB mail
with its own fields, tokens and signature, header hash included. The others are posts to 10,000
members in personal mode, clocked as in tests.bench.large; the seal (ARC) is made once a post.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence

from cryptography.hazmat.primitives import serialization

from postroad.mail.dkim import Key
from postroad.mail.headers import scan
from postroad.mail.tokens import TokenMaker
from schemas.mail import RawRef
from schemas.road import Copy
from services.sender.compose import prepare
from services.sender.signing import Signer
from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.road import BUILD, Road, mail
from tests.bench.yardsticks import Bound, source_rate
from tests.peers.signingkeys import ed25519_key, rsa_key
from tests.peers.smtpsink import SmtpSink

ROUNDS = 3
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
    file = BUILD / f"bench-{name}.pem"
    BUILD.mkdir(exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(
        key.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    given = {"POSTROAD_DOMAIN__0__NAME": DOMAIN, "POSTROAD_DOMAIN__0__DKIM_KEY_FILE": str(file)}
    os.environ.update(given)
    rates, ratios, cpu = [], [], []
    try:
        async with SmtpSink.start() as sink, Road.start(sink.port) as road:
            await road.make_list(LIST, MEMBERS)
            for number in range(ROUNDS):
                await road.idle()
                yardstick = await source_rate(sink.port, MEMBERS)
                accounts = await road.accounts()
                event = await road.store(mail(f"{name}.{number}", LIST))
                before = road.cpu()
                await road.receive(event)
                seconds = await accounts.reach(MEMBERS) - await road.routed_at(event)
                cpu.append(processes.spent(before, road.cpu()))
                rates.append(MEMBERS / seconds)
                ratios.append(rates[-1] / yardstick)
    finally:
        for variable in given:
            del os.environ[variable]
        file.unlink()
    scenario = f"{MEMBERS:,} recipients, personal, {name}"
    return Figure.median(scenario, rates, "msg/s", ratios=ratios, need=need, cpu=cpu)
