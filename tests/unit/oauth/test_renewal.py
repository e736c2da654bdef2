"""When a token is renewed, and when nobody is asked: arithmetic on our own clock."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.runtime.oauth import lifetime
from postroad.runtime.oauth.endpoint import Grant
from postroad.runtime.oauth.lifetime import Stamp, age, pause, renewed_at, usable_until
from postroad.runtime.oauth.refusals import Refusal
from postroad.runtime.oauth.renewal import Step, failed, granted, judge, lives
from postroad.runtime.oauth.store import Login

lifetimes = st.floats(0.01, 30 * 86_400)
chances = st.floats(0, 1, exclude_max=True)
seconds = st.floats(0, 40 * 86_400)
walls = st.floats(0, 4e9)
DAWN = Stamp("boot", 1_000.0, 1_800_000_000.0)


def later(by: float, wall: float | None = None) -> Stamp:
    """A moment after DAWN, by the clock of the machine; the wall clock may say anything."""
    return Stamp("boot", DAWN.ticks + by, DAWN.wall + by if wall is None else wall)


def a_login(life: float = 3_600.0, turned_down: int = 0) -> Login:
    """A login whose token was asked for at DAWN."""
    return Login(
        refresh_token="r",
        access_token="a",
        lifetime=life,
        issued=DAWN,
        since=5.0,
        turned_down=turned_down,
    )


def step(login: Login, now: Stamp, refused: str = "", asked: str = "q", chance: float = 0) -> Step:
    """What is to be done now."""
    return judge(login, now, refused=refused, chance=chance, asked=lambda: asked)


def grant(at: Stamp, refresh: str = "", token: str = "b", life: float = 3_600.0) -> Grant:
    """What an endpoint gave for a question of this moment."""
    return Grant(token, refresh, life, at, "")


@given(lifetimes, chances)
def test_a_token_is_renewed_late_in_its_life_and_before_its_end(life: float, chance: float) -> None:
    """Renewal falls into the last fifth of a life, at most 5 minutes before its end, and while the
    token can still be used."""
    due = renewed_at(life, chance)
    assert 0.799 * life < due < usable_until(life) < life
    assert life - due < 300.001


@given(lifetimes, chances, seconds, walls)
def test_the_wall_clock_may_jump(life: float, chance: float, old: float, wall: float) -> None:
    """A step of the wall clock renews no token early and keeps none alive."""
    told = judge(a_login(life), later(old, wall), refused="", chance=chance, asked=str)
    ticks = later(old).ticks - DAWN.ticks
    assert told == ("use" if ticks < renewed_at(life, chance) else "ask")


@given(walls, walls)
def test_after_a_reboot_the_wall_clock_counts(then: float, now: float) -> None:
    """Ages over a reboot come from the wall clock, unless it has gone backwards."""
    known = age(Stamp("one", 5.0, then), Stamp("two", 1.0, now))
    assert known == (now - then if now >= then else None)


def test_a_token_of_unknown_age_is_renewed() -> None:
    """When nobody can tell how old a token is, a new one is asked for."""
    assert step(a_login(), Stamp("other", 1.0, DAWN.wall - 60)) == "ask"


@given(seconds)
def test_a_token_is_asked_for_once_in_its_life(old: float) -> None:
    """Asking all the time renews a token once in its life, whatever its life."""
    life = 3_600.0
    login = a_login(life)
    if step(login, later(old)) == "ask":
        login = granted(login, grant(later(old)), refused="")
        assert step(login, later(old)) == "use"
        assert step(login, later(old + 0.8 * life)) == "use"


@given(st.integers(0, 10_000))
def test_pauses_grow_to_a_bound(times: int) -> None:
    """Pauses double from the first to the longest, and never overflow."""
    assert 0 <= pause(times, (2.0, 300.0)) <= 300
    assert pause(times, (2.0, 300.0)) <= pause(times + 1, (2.0, 300.0))


def test_a_rotated_refresh_token_replaces_the_old_and_a_silent_answer_keeps_it() -> None:
    """The refresh token that counts is the last one the provider gave; the login stays one."""
    login = a_login()
    assert granted(login, grant(later(9), refresh="new"), refused="").refresh_token == "new"
    kept = granted(login, grant(later(9)), refused="")
    assert (kept.refresh_token, kept.since) == ("r", 5.0)


def test_while_it_fails_the_present_token_is_used_to_its_end() -> None:
    """A failing endpoint is not asked again before its pause is over, and the token is used."""
    due = 3_400.0
    down = failed(a_login(), Refusal("http", status=503), "q", later(due), 0.0)
    assert step(down, later(due + 1)) == "use"
    assert step(down, later(due + 2.1)) == "ask"
    assert step(down, later(due + 1), refused="a") == "failed"
    dead = failed(down, Refusal("timeout"), "q", later(3_599), 0.0)
    assert step(dead, later(3_600)) == "failed"


def test_failures_in_a_row_are_asked_about_less_and_less() -> None:
    """No refresh storm: 2 seconds, doubled up to 5 minutes, or as long as the server wishes."""
    login, pauses = a_login(), []
    for _ in range(10):
        login = failed(login, Refusal("timeout"), "q", DAWN, 0.0)
        assert login.failure is not None
        pauses.append(login.failure.pause)
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    wished = failed(a_login(), Refusal("http", status=429), "q", DAWN, 90.0)
    assert wished.failure is not None
    assert wished.failure.pause == 90


def test_what_will_not_pass_is_asked_again_with_another_secret_or_after_an_hour() -> None:
    """`invalid_grant` and its like are asked once; another question is another matter."""
    login = failed(a_login(), Refusal("invalid_grant"), "q", later(3_700), 0.0)
    assert step(login, later(3_700 + 3_599)) == "failed"
    assert step(login, later(3_700 + 3_601)) == "ask"
    assert step(login, later(3_701), asked="with another secret") == "ask"


def test_a_token_that_is_turned_down_is_renewed_at_once() -> None:
    """A server that refuses a token in mid-life gets a new one; others go on with theirs."""
    login = a_login()
    assert step(login, later(1_000), refused="a") == "ask"
    assert step(login, later(1_000), refused="an older one") == "use"


def test_a_server_that_turns_down_every_token_is_given_fewer() -> None:
    """Renewing does not help against a wrong user or scope: pauses grow from 5 s to 5 minutes."""
    login, when, waited = a_login(), 0.0, []
    for _ in range(9):
        started = when
        while step(login, later(when), refused=login.access_token) == "turned down":
            when += 1.0
        waited.append(when - started)
        token = f"{login.access_token}+"
        login = granted(login, grant(later(when), token=token), refused=login.access_token)
    assert waited == [0, 5, 10, 20, 40, 80, 160, 300, 300]


def test_a_token_turned_down_after_it_had_worked_starts_anew() -> None:
    """A revocation long after the last one is not counted with it."""
    login = granted(a_login(turned_down=6), grant(later(700)), refused="a")
    assert login.turned_down == 1
    assert granted(a_login(turned_down=6), grant(later(3_500)), refused="").turned_down == 0


def test_a_token_that_nearly_ended_is_given_to_nobody() -> None:
    """A login takes its time: the last 10 seconds of a token are not used."""
    assert lives(a_login(), later(3_589))
    assert not lives(a_login(), later(3_591))
    assert not lives(a_login(), later(1), refused="a")
    assert not lives(Login(refresh_token="r"), later(1))


def test_nothing_shows_a_token() -> None:
    """Whatever prints a login or a grant prints no token."""
    login = msgspec.structs.replace(a_login(), access_token="tok-1", refresh_token="tok-2")
    shown = f"{login!r} {login} {grant(DAWN, 'tok-3', 'tok-4')!r}"
    assert "tok-" not in shown


def test_this_moment_has_a_boot_and_both_clocks() -> None:
    """The clock of the machine goes on between two moments."""
    one, two = lifetime.now(), lifetime.now()
    passed = age(one, two)
    assert passed is not None
    assert 0 <= passed < 1
    assert two.wall == pytest.approx(one.wall, abs=1)
