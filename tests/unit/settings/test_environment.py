"""Settings from the environment: which win, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.settings.conftest import Load, Refuse


def test_environment_wins_and_is_typed_by_its_field(load: Load) -> None:
    """Every value can come from the environment, as text, number, truth or list."""
    config = load(
        POSTROAD_SITE__NAME="7",
        POSTROAD_BROKER__URL="nats://a:4222,nats://b:4222",
        POSTROAD_BROKER__REPLICAS="3",
        POSTROAD_SOURCE__0__PORT="1143",
        POSTROAD_SOURCE__INBOX__IDLE="false",
        POSTROAD_SOURCE__inbox__RECIPIENT_HEADERS="Delivered-To, X-Original-To",
        POSTROAD_SOURCE__0__PASSWORD_FILE="/run/secrets/imap",
        POSTROAD_WEB__PORT="8000",
    )
    assert config.site.name == "7"
    assert config.broker.replicas == 3
    assert config.source[0].port == 1143
    assert config.source[0].idle is False
    assert config.source[0].recipient_headers == ("Delivered-To", "X-Original-To")
    assert config.source[0].password_file == Path("/run/secrets/imap")
    assert config.web is not None
    assert config.web.port == 8000


def test_next_number_adds_an_entry(load: Load) -> None:
    """A container can be given a further relay by environment alone."""
    config = load(POSTROAD_RELAY__1__HOST="two.example.org", POSTROAD_RELAY__1__NAME="two")
    assert [relay.name for relay in config.relay] == ["out", "two"]


def test_entries_are_added_in_counting_order(load: Load) -> None:
    """The tenth entry comes after the second, not before it."""
    extra = {f"POSTROAD_RELAY__{n}__HOST": "h" for n in range(1, 12)}
    names = {f"POSTROAD_RELAY__{n}__NAME": f"r{n}" for n in range(1, 12)}
    config = load(**extra, **names)
    assert [relay.name for relay in config.relay][9:] == ["r9", "r10", "r11"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("POSTROAD_BROKER__UR", "x", 'no setting "ur"; did you mean "url"?'),
        ("POSTROAD_BROKR__URL", "x", 'unknown section "brokr"; did you mean "broker"?'),
        ("POSTROAD_BROKER_URL", "x", "did you mean POSTROAD_BROKER__URL?"),
        ("POSTROAD_SOURCE_HOST", "x", "did you mean POSTROAD_SOURCE__0__HOST?"),
        ("POSTROAD_SITE", "x", "did you mean POSTROAD_SITE__KEY?"),
        ("POSTROAD_SOURCE__INBX__HOST", "x", 'no [[source]] "INBX"; did you mean "inbox"?'),
        ("POSTROAD_SOURCE__5__HOST", "x", 'no [[source]] "5"'),
        ("POSTROAD_SOURCE__0", "x", 'no setting ""'),
        ("POSTROAD_SOURCE__0__PORT", "x", "expected integer, got text"),
        ("POSTROAD_SOURCE__0__IDLE", "maybe", "expected true or false, got text"),
        ("POSTROAD_SOURCE__0__TLS", "ssl", '"ssl" is not one of'),
        ("POSTROAD_BROKER__REPLICAS", "2", '"2" is not one of 1, 3, 5'),
        ("POSTROAD_SOURCE__0__LIST", "a", '"a" is not an address'),
        ("POSTROAD_ALARM__COMAND", "x", 'did you mean "command"?'),
    ],
)
def test_a_variable_that_sets_nothing_is_refused(
    refuse: Refuse, name: str, value: str, told: str
) -> None:
    """A misspelt variable is told like a misspelt key, by its own name."""
    message = refuse(**{name: value})
    assert told in message


def test_other_variables_are_left_alone(load: Load) -> None:
    """Names that are no settings, ours or Kubernetes's, do not stop a start."""
    config = load(
        POSTROAD_CONFIG="x",
        POSTROAD_DEBUG="1",
        POSTROAD_CORPORA="x",
        POSTROAD_CRASHPOINT="sender.after_dot:3",
        POSTROAD_NO_SKIP="1",
        POSTROAD_PORT="tcp://10.0.0.1:80",
        POSTROAD_WEB_PORT="tcp://10.0.0.1:80",
        POSTROAD_WEB_SERVICE_HOST="10.0.0.1",
        POSTROAD_WEB_PORT_80_TCP_ADDR="10.0.0.1",
    )
    assert config == load()
