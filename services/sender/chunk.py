"""One chunk on one lane: window after window, the ledger one ahead."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, timedelta

from postroad.runtime.clock import now
from postroad.runtime.config import Relay
from postroad.runtime.consume import Delivery
from postroad.runtime.errors import Busy, Full, Retry, Superseded
from postroad.runtime.service import Context
from schemas.road import Failure
from schemas.spans import Attribute
from services.sender import ledger, outcomes, quota
from services.sender.compose import Prepared
from services.sender.departed import Departed
from services.sender.kinds import Carrier
from services.sender.lanes import FEWER, LONGEST, LONGEST_LASTING, LONGEST_TOKEN, Lane
from services.sender.measuring import Measured, measure
from services.sender.progress import Progress
from services.sender.redact import gist
from services.sender.relay import RelayError
from services.sender.route import Route
from services.sender.transaction import Transaction
from services.sender.watch import Watch
from services.sender.window import Plan, hung, left, plan, together

SOON = 1.0  # seconds to wait on a lane for room in a limit
LOOK_AGAIN = 10.0  # seconds; whether the day has room again is asked of nobody but us
LASTING = 60.0  # seconds that a limit lasts to be worth telling
SLOW = 8.0  # seconds of connecting after which it is told that the relay does not answer


class Run:
    """The way of a chunk from where its ledger stands to its end."""

    def __init__(
        self,
        context: Context,
        delivery: Delivery,
        progress: Progress,
        relay: Relay,
        route: Route,
        lane: Lane,
        post: Prepared,
        departed: Departed,
    ) -> None:
        self.context = context
        self.delivery = delivery
        self.progress = progress
        self.chunk = chunk = progress.chunk
        self.relay = relay
        self.route = route
        self.lanes = lanes = route.lanes
        self.lane = lane
        limited = route.limited
        progress.relay, progress.destination = relay.name, limited.name if limited else ""
        self.quotas = (*lanes.quotas, *(limited.quotas if limited else ()))
        self.post = post
        self.departed = departed
        self.left = False  # the last window ended before an answer that may come yet
        self.urgent = delivery.subject.startswith("mail.send.now.")
        period = timedelta(seconds=context.config.site.retry_seconds)
        # a part may have waited that long for a limit of ours, and nobody has refused it yet
        self.giving_up = chunk.event.attempt > 0 and ledger.given_up(chunk.event, now(), period)
        self.watch = Watch(context, relay, route, lane, chunk.event, last=self.giving_up)
        self._personal = chunk.event.copy.personal
        self._now = asyncio.get_running_loop().time
        self._passed = self._stumbled()
        # of a chunk with several domains, those that wait get chunks of their own first
        self._last = self.giving_up and len(set(route.domains)) == 1

    async def run(self) -> None:
        """Send window after window, to the end, or until one is left to its late answers: the
        chunk goes on with another lane then. Raises Retry on trouble with the relay, Superseded
        where the chunk is somebody else's."""
        progress, size = self.progress, self.progress.size
        width = self._begin()
        while progress.done < size and not self.left:
            if self.watch.gives_way or self.context.stopping.is_set():
                if progress.pending:
                    await progress.record()
                raise Busy("others go first, or we are stopping", SOON)
            window, connection, reused = await self._advance(min(width, size - progress.done))
            progress.went(window)
            if window.trouble or self.left:
                outcome = window.outcome
                if outcome.end > outcome.start or window.lost or not progress.single:
                    await progress.record()
                await self._bear(window, connection, reused=reused)
            else:
                self._works()
        if progress.pending:
            await progress.record()
        if progress.done >= size:
            self.context.health.count("chunks")

    def _begin(self) -> int:
        """How many recipients a window may have; says whether the chunk may be a single one."""
        progress, size = self.progress, self.progress.size
        width = self.relay.window if self._personal else self.relay.recipients_per_transaction
        if self.lanes.stumbles.blamed(self.chunk.ledger, self._now()):
            width = 1
        elif self.route.sick:  # so that it can give way soon
            width = 1 if self._personal else min(width, self.relay.window)
        # a chunk of one window needs no intent; tried before, it does: should the ledger be out
        # of reach, that is then known before anything is sent again. And where there are limits,
        # it may take several windows, and there is always an intent to count. Without a journal
        # only the ledger can say later that somebody was at it
        limited = any(each.lasts(0) for each in self.quotas)
        fits = size <= width and not limited
        progress.single = fits and progress.noted and not progress.began
        if progress.single and self.chunk.tried:
            progress.single = False
            if progress.unknown:
                progress.doubt = frozenset(range(size))  # whom the dead one served, nobody knows
        return width

    async def _advance(self, wanted: int) -> tuple[outcomes.Window, Carrier, bool]:
        """Record the window before (not where the chunk is a `single` one) and send the next, to
        `wanted` recipients or as many as the limits have room for."""
        progress = self.progress
        while not (room := quota.take(self.quotas, wanted, now())):
            if progress.pending:
                await progress.record()
            await self._room()
        sent = 0
        try:
            connection, reused = await self._open()
            gone = await self.departed.of(self.chunk.event, self.chunk.queued)
            if not self.delivery.fresh(self.context.ack_wait):
                raise Superseded(self.chunk.ledger)
            planned = self._plan(room, gone)
            progress.single &= planned.end == progress.size
            if progress.single:
                progress.begin(planned.end)
            else:
                await progress.record(planned)
            sent = len(planned.offered)
            window = await self._window(connection, planned)
            sent = window.accepted + len(window.lost)
            self._forgive(planned, window)
        finally:
            quota.settle(self.quotas, room, sent, now())
        return window, connection, reused

    async def _bear(self, window: outcomes.Window, connection: Carrier, *, reused: bool) -> None:
        """The window met with trouble: go on with another connection where that may help. Raises
        Retry where the relay itself failed."""
        if self.left:
            self.lanes.leave(self.lane)
            return
        if connection.out_of_step:
            self.lanes.pipelining = False
        if not (reused or window.lasting or self.watch.silent) and self._hung(
            window.hung, said=window.trouble.startswith(str(outcomes.HANGS_UP))
        ):
            await self.lane.drop()
            return
        reason = connection.fault or window.trouble
        if window.lasting and not self.post.shared()[0]:
            reason += "; if it takes no null sender, set null_sender = false"
        if window.moved and not connection.pause:  # it ends each connection after some mail
            self.lanes.succeeded()
        elif connection.pause or not (reused or self.watch.silent):  # that is about one domain
            longest = LONGEST_LASTING if window.lasting else LONGEST
            raise self._trouble(reason, longest, alarm=window.lasting, least=connection.pause)
        await self.lane.drop()

    async def _open(self) -> tuple[Carrier, bool]:
        """The lane's connection, and whether it was used before (it may have gone stale)."""
        slow = asyncio.get_running_loop().call_later(
            SLOW, self._tell, f"has not answered for {SLOW:g} s"
        )
        try:
            connection, fresh = await self.lanes.open(self.lane)
        except RelayError as error:
            lasting = error.kind == "failed"
            longest = LONGEST_LASTING if lasting else LONGEST
            if error.name == "token":
                longest = LONGEST_TOKEN
            raise self._trouble(str(error), longest, alarm=lasting) from None
        finally:
            slow.cancel()
        if fresh:  # after trouble, it may greet us and refuse our mail again
            self.watch.tell()
        return connection, not fresh

    async def _window(self, connection: Carrier, planned: Plan) -> outcomes.Window:
        """Send a window and say what became of it."""
        event = self.chunk.event
        with self.context.telemetry.span("sender.window", kind="client") as span:
            span.attributes = {
                "postroad.list": event.list,
                "postroad.chunk": event.chunk,
                "postroad.relay": self.relay.name,
                "postroad.window.start": planned.start,
                "postroad.window.end": planned.end,
            }
            began = time.monotonic()
            transactions = await self._transactions(planned.offered)
            metrics, name = self.context.health.metrics, self.relay.name
            with self.watch.window(connection, planned.offered) as seen, Measured(metrics, name):
                results = await connection.send(transactions) if transactions else []
            window = outcomes.judge(
                results,
                planned,
                doubt=self.progress.doubt,
                ms=int((time.monotonic() - began) * 1000),
                giving_up=self.giving_up,
                silent=self.giving_up and self.watch.unheard(connection),
            )
            self.watch.refused |= self.watch.unheard(connection)
            if connection.lingering is not None:
                late, doubt = self.progress.late, self.progress.doubt
                late.add(planned.offered, results, connection.lingering, doubt)
                self.left = True
            seen(results, window)
            measure(metrics, name, window, results, time.monotonic() - began)
            span.attributes |= _told(window)
            if window.trouble:
                span.error = "relay"
            self.progress.window = span.parent
        self.context.health.count("copies", window.accepted)
        return window

    def _plan(self, room: int, gone: AbstractSet[str]) -> Plan:
        """The next window; withheld is who is `gone`, and whom the route withholds."""
        people, withhold = self.chunk.event.people, self.route.withhold
        done, sent = self.progress.done, self.progress.sent
        size = len(people)
        if not self._personal:
            most = self.relay.recipients_per_transaction
            size = together(self.route.domains, done, room, most)
        if self.route.free and not (gone or sent or self._passed):
            end = min(done + room, size)  # nearly always
            return Plan(done, end, range(done, end))
        last = self._last
        if last and self.route.sick:  # its answer decides whether the next is offered
            size = done + 1

        def why(index: int) -> Failure | None:
            if people[index] in gone:
                return left(index)
            if index in self._passed:
                blamed = self.giving_up and self._blamed(index)
                return ledger.final(hung(index)) if blamed else hung(index)
            failure = withhold(index, ask=last and not self.watch.refused)
            return ledger.final(failure) if failure and last else failure

        return plan(done, size, room, why, sent)

    def _stumbled(self) -> frozenset[int]:
        """At whom the relay hung up again and again: the others go on without them."""
        stumbles = self.lanes.stumbles
        if not stumbles:
            return frozenset()
        rest = range(self.progress.done, self.progress.size)
        now = self._now()
        found = frozenset(n for n in rest if stumbles.often(self._named(n), now))
        return found if len(found) < len(rest) else frozenset()

    def _named(self, index: int) -> str:
        """A recipient's name in what is remembered of the relay."""
        return f"{self.chunk.event.list} {self.chunk.event.people[index]}"

    def _blamed(self, index: int) -> bool:
        return self.lanes.stumbles.blamed(self._named(index), self._now())

    def _forgive(self, planned: Plan, window: outcomes.Window) -> None:
        """Whoever was served of those at whom the relay hung up is like all others again."""
        if self.lanes.stumbles:
            refused = {failure.index for failure in window.outcome.failures}
            for index in planned.offered:
                if index < window.outcome.end and index not in refused:
                    self.lanes.stumbles.forgive(self._named(index))

    def _hung(self, index: int | None, *, said: bool) -> bool:
        """The relay hung up at this recipient, if at one: whether that is about nobody else, so
        that the others may go on. One that has `said` so may just have had enough for now."""
        stumbles, now = self.lanes.stumbles, self._now()
        if index is None:
            stumbles.again(self.chunk.ledger, now)  # they are tried one by one then
            return False
        blamed = stumbles.again(self._named(index), now)
        if not blamed or (said and not stumbles.often(self._named(index), now)):
            return False
        self._passed |= {index}
        return True

    async def _transactions(self, offered: Sequence[int]) -> list[Transaction]:
        event, post = self.chunk.event, self.chunk.post
        addresses = event.addresses
        if not self._personal:
            sender, pieces = self.post.shared()
            everybody = [addresses[index] for index in offered]
            again = not self.progress.doubt.isdisjoint(offered)
            record = self.progress.recorder(offered)
            return [Transaction(sender, everybody, pieces, post, again, record)]
        numbers = event.numbers or range(event.first, event.first + len(event.people))
        doubt, recorder = self.progress.doubt, self.progress.recorder
        made, pausing = [], self.post.costly and not self.urgent
        for index in offered:
            sender, pieces = self.post.personal(
                numbers[index], event.people[index], addresses[index]
            )
            again, record = index in doubt, recorder((index,))
            made.append(Transaction(sender, (addresses[index],), pieces, post, again, record))
            if pausing:
                await asyncio.sleep(0)  # small posts go on between any two signatures
        return made

    def _trouble(self, reason: str, longest: float, *, alarm: bool, least: float = 0.0) -> Retry:
        """The relay failed: pause it, tell it, and give the chunk back. What may be about how many
        connections we have is answered with one fewer first."""
        if longest == LONGEST and not least and self.lanes.fewer(self.lane):
            return Retry(f"relay {self.relay.name}: {reason}", FEWER)
        seconds = self.lanes.pause(longest=longest, least=least)
        if gist(reason) == gist(self.lanes.trouble):
            reason = self.lanes.trouble  # told once, though its replies have new ids each time
        self._tell(reason, alarm=alarm)
        return Retry(f"relay {self.relay.name}: {reason}", seconds)

    async def _room(self) -> None:
        """Wait until the limits have room again, where that is soon. Raises Retry where it is
        not, or where only one domain waits for it and a lane can be used better."""
        found = quota.full(self.quotas)
        if found is None:
            raise Busy("what is under way may reach a limit", SOON)
        closed, on = found
        left = max((on - now()).total_seconds(), 0.01)
        if closed in self.lanes.quotas and left <= SOON:
            await asyncio.sleep(left)
            return
        at = on.astimezone(UTC).strftime("%H:%M UTC on %d %B")
        if closed is self.lanes.quotas[0]:
            reason = f"daily limit of {closed.limit} reached; goes on at {at}"
            if closed.limit == self.relay.daily:
                self._tell(reason, alarm=True)
            else:  # of a day of warming up, as expected
                self._tell_limit(closed, reason)
            raise Full(reason, min(max(left, 1.0), LOOK_AGAIN), left)
        of = "" if closed in self.lanes.quotas else f" for {self.progress.destination}"
        reason = f"limit of {closed.limit}{of} reached; goes on at {at}"
        if left > LASTING:
            self._tell_limit(closed, reason)
        raise Busy(reason, left)

    def _tell(self, reason: str, *, alarm: bool = False) -> None:
        self.lanes.trouble = reason
        self.context.health.report(
            "relay",
            self.relay.name,
            ok=False,
            detail=reason,
            alarm=alarm,
            paused_until=self.lanes.paused_until,
            last_error=reason,
            last_error_at=now().isoformat(timespec="seconds"),
        )

    def _tell_limit(self, closed: quota.Quota, reason: str) -> None:
        """A limit is reached, as the settings have it: nothing is wrong, but somebody may ask."""
        self.lanes.reached[closed] = reason
        self.watch.tell()

    def _works(self) -> None:
        """A window came to its end and the relay had nothing against us."""
        first = not self.lanes.proven
        self.lanes.succeeded()
        again = [self.lanes.reached.pop(each, "") for each in self.quotas]
        if self.lanes.trouble or first or any(again):
            self.lanes.trouble = ""
            self.watch.tell()


def _told(window: outcomes.Window) -> dict[str, Attribute]:
    """What a window's span says of what became of it."""
    failures = window.outcome.failures
    told: dict[str, Attribute] = {
        "postroad.accepted": window.accepted,
        "postroad.failed": len(failures),
        "smtp.reply.code": window.outcome.code,
    }
    if failures:
        kinds = Counter(failure.kind for failure in failures)
        if deferred := kinds["deferred"]:
            told["postroad.deferred"] = deferred
        if gone := kinds["left"]:
            told["postroad.left"] = gone
    return told
