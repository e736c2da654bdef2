"""Settings of which relay gets what: what is read, and what can never work."""

from __future__ import annotations

from datetime import date

import pytest

from postroad.cli.config import as_toml, plain
from tests.unit.settings.conftest import MINIMAL, Load, Refuse

WHOLE = """
domains = ["gmail.com", "*.Example.org"]
weight = 3
rate = ["14/s", "3000/h"]
warm_up = [50, 100]
warm_up_from = 2026-12-01
daily = 70
[[relay.destination]]
domains = ["gmail.com"]
connections = 2
[[relay.destination]]
domains = ["a.example.org"]
rate = "5/s, 100/h"
[[relay]]
name = "rest"
host = "smtp2.example.org"
"""


def test_a_relay_with_limits(load: Load) -> None:
    """Rates, destinations and the days of warming up are read; each day has its limit, and
    `daily` is never exceeded."""
    relay = load(MINIMAL + WHOLE).relay[0]
    assert relay.rates == ((14, 1.0), (3000, 3600.0))
    assert [each.rates for each in relay.destination] == [(), ((5, 1.0), (100, 3600.0))]
    days = [date(2026, 11, 20), date(2026, 12, 1), date(2026, 12, 2), date(2026, 12, 3)]
    assert [relay.daily_on(day) for day in days] == [50, 50, 70, 70]


def test_what_config_check_prints_can_be_read(load: Load) -> None:
    """The settings as shown are a settings file, tables within tables included."""
    config = load(MINIMAL + WHOLE)
    shown = as_toml(plain(config))
    assert "\nwarm_up_from = 2026-12-01\n" in shown
    assert load(shown).relay == config.relay


def test_config_check_prints_what_a_relay_has(load: Load) -> None:
    """Port and TLS are of a host: a URL, a socket and a file have none, and sections without
    content are not shown."""
    others = (
        'kind = "http"\nurl = "https://api.example/v1"',
        'kind = "file"\npath = "kept"',
        'kind = "lmtp"\npath = "lmtp"',
    )
    text = "".join(f'[[relay]]\nname = "r{n}"\n{each}\n' for n, each in enumerate(others))
    config = load(MINIMAL + text)
    _, *shown = as_toml(plain(config)).split("[[relay]]\n")
    shown = [each.partition("\n[")[0] for each in shown]
    keys = [{line.split(" = ")[0] for line in each.splitlines()} for each in shown]
    assert [{"port", "tls"} & each for each in keys] == [{"port", "tls"}, set(), set(), set()]
    assert "[alarm]" not in as_toml(plain(config))
    assert load(as_toml(plain(config))).relay == config.relay


def test_config_check_prints_what_a_source_has(load: Load) -> None:
    """A socket has no folder and a mailbox no certificate: what is shown can be given."""
    config = load(MINIMAL + '[[source]]\nkind = "lmtp"\n')
    mailbox, lmtp = plain(config)["source"]
    assert {"folder", "poll"} <= mailbox.keys() - lmtp.keys()
    assert {"connections", "verdict"} <= lmtp.keys() - mailbox.keys()
    assert load(as_toml(plain(config))).source == config.source


def test_from_the_environment(load: Load, refuse: Refuse) -> None:
    """Lists of numbers and dates come from the environment too; tables below a relay do not."""
    config = load(
        POSTROAD_RELAY__OUT__WARM_UP="5, 10",
        POSTROAD_RELAY__OUT__WARM_UP_FROM="2026-12-01",
        POSTROAD_RELAY__OUT__RATE="5/s,100/h",
        POSTROAD_RELAY__OUT__DOMAINS="",
    )
    assert config.relay[0].warm_up == (5, 10)
    assert config.relay[0].rates == ((5, 1.0), (100, 3600.0))
    for name in ("DESTINATION", "DESTINATION__RATE", "DESTINATION__0__RATE"):
        told = refuse(**{f"POSTROAD_RELAY__OUT__{name}": "5/s"})
        assert "write [[relay.destination]] into the file" in told


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ("weight = 0", "every relay has weight 0 (only where no other can); give one at least 1"),
        ("weight = -1", '[[relay]] "out" weight: expected integer >= 0'),
        ('rate = "fast"', '[[relay]] "out" rate: "fast" is not a rate such as "50/s" or "3000/h"'),
        ('rate = "0/s"', '"0/s" is not a rate'),
        ('domains = ["gmail.com"]', '"lists.example.org": every [[relay]] is for some domains'),
        ('domains = ["a@b.org"]', '"a@b.org" is not a domain such as "example.org"'),
        ('domains = ["*"]', '"*" is not a domain'),
        ('domains = ["*.b.org", "a.b.org"]', '"a.b.org" is never asked for: "*.b.org" stands'),
        ("warm_up = [5]", "warm_up_from is missing; warm_up_from = 2026-12-01 is the first day"),
        ("warm_up_from = 2026-12-01", "warm_up is missing"),
        ("warm_up = [50, 20]\nwarm_up_from = 2026-12-01", "warm_up: 20 comes after 50; let"),
        ("[relay.destination]", "must be repeatable: write [[relay.destination]]"),
        ("[[relay.destination]]", '[[relay]] "out" destination number 1: domains is missing'),
        ("[[relay.destination]]\ndomains = ['a.b']", "nothing is limited; set connections, rate"),
        ("[[relay.destination]]\ndomians = ['a.b']", 'key "domians"; did you mean "domains"?'),
        (
            (
                "[[relay.destination]]\ndomains = ['a.b']\ndaily = 1\n"
                "[[relay.destination]]\ndomains = ['A.b']\ndaily = 2"
            ),
            'destination number 2 domains: "A.b" is never asked for: "a.b" stands before it',
        ),
        (
            (
                "domains = ['a.b']\n[[relay.destination]]\ndomains = ['c.d']\ndaily = 1\n"
                "[[relay]]\nname = 'rest'\nhost = 'h'"
            ),
            'destination number 1 domains: "c.d" never comes here: see domains of the relay',
        ),
        ("[[domain]]\nname = 'b.org'\nrelay = 'uot'", 'no "uot"; did you mean "out"?'),
    ],
)
def test_what_can_never_work_is_refused(refuse: Refuse, addition: str, told: str) -> None:
    """A pattern that matches nobody, copies without a relay, and limits that limit nothing."""
    assert told in refuse(f"{MINIMAL}{addition}\n")


@pytest.mark.parametrize(
    ("addition", "told"),
    [
        ('domains = ["gmail"]', '[[relay]] "out" domains: "gmail" has no dot, so it is only for'),
        (
            '[[relay.destination]]\ndomains = ["gmail"]\ndaily = 9',
            '[[relay]] "out" destination number 1 domains: "gmail" has no dot',
        ),
        (
            "daily = 70\nwarm_up = [50, 100]\nwarm_up_from = 2026-12-01",
            '[[relay]] "out" warm_up: 100 is more than daily = 70, which holds from the first day',
        ),
    ],
)
def test_what_works_and_is_hardly_meant_is_warned_of(load: Load, addition: str, told: str) -> None:
    """A domain without a dot matches few addresses, and steps above `daily` are no steps."""
    rest = "[[relay]]\nname = 'rest'\nhost = 'h'\n"
    warnings = load(f"{MINIMAL}{addition}\n{rest}").warnings
    assert any(warning.startswith(told) for warning in warnings), warnings


def test_single_labels_that_are_meant(load: Load) -> None:
    """`localhost`, a domain of lists, and everything below a top-level domain need no dot."""
    own = "[[domain]]\nname = 'corp'\n[[relay]]\nname = 'rest'\nhost = 'h'\n"
    named = 'domains = ["localhost", "*.museum", "Corp"]'
    assert load(f"{MINIMAL}{named}\n{own}").warnings == ()
