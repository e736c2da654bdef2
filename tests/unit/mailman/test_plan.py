"""What becomes of a Mailman's lists: of answers that a real Mailman 3.3.10 gave, of a `config.pck`
with the attributes of Mailman 2.1.39, and of texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroad.cli.mailman import answers, rosters, sources
from postroad.cli.mailman.form import OldList, OldPerson, Value
from postroad.cli.mailman.plan import Plan, plans
from postroad.cli.mailman.settings import NONE, Line, postponed, typed
from postroad.runtime.errors import UsageError
from services.membership import settings

GOLDEN = Path(__file__).parents[2] / "golden"
ADDRESS = "staff@lists.example.org"


def staff(which: str) -> Plan:
    """The plan for the list that both have."""
    if which == "mailman2":
        return plans(sources.mailman2(GOLDEN / which))[0]
    return plans(sources.mailman3(GOLDEN / which / "answers")[0])[1]


def told(which: str) -> Mapping[str, Line]:
    """Its report."""
    return {line.setting: line for line in staff(which).report}


def mapped(**old: Value) -> tuple[Mapping[str, str], list[Line]]:
    """Settings of a list with only these."""
    return typed(OldList(address=ADDRESS, settings=old), ())


@pytest.mark.parametrize("which", ["mailman2", "mailman3"])
def test_no_setting_is_unknown(which: str) -> None:
    """Everything that a Mailman has is taken, the same by default, or has no equivalent for a
    reason that is told."""
    for line in staff(which).report:
        assert "known here" not in line.why, line
        assert line.outcome != "none" or line.why, line


def test_every_setting_of_a_mailman_3_is_in_the_report() -> None:
    """All that lists/<id>/config answers, but for what follows from the address or is counted."""
    config = json.loads(
        (GOLDEN / "mailman3/answers/lists/staff.lists.example.org/config.json").read_text()
    )
    silent = {name for name, (_, why) in NONE.items() if "counted anew" in why}
    empty = {name for name, value in config.items() if value in ([], None, "")}
    assert set(config) - silent - empty <= set(told("mailman3"))


@pytest.mark.parametrize("which", ["mailman2", "mailman3"])
def test_what_is_taken_is_valid(which: str) -> None:
    """Settings typed from a Mailman's are settings of ours."""
    plan = staff(which)
    assert set(plan.settings) <= set(settings.TYPES)
    assert plan.settings["default_nonmember_action"] == "reject"
    assert plan.settings["reply_to_address"] == "desk@example.net"
    assert "spammer@example.com" in plan.settings["bans"]


def test_a_safer_default_of_ours_stays() -> None:
    """Where a list left Mailman's default, ours counts and the report says so; a choice of its
    owner is taken."""
    left, report = mapped(dmarc_mitigate_action="no_mitigation")
    assert (left, report[0].outcome) == ({}, "default")
    assert "safer" in report[0].why
    chosen, _ = mapped(dmarc_mitigate_action="wrap_message")
    assert chosen == {"dmarc_mitigate_action": "wrap_message"}


def test_one_wrong_value_costs_no_other() -> None:
    """Of several values those that are valid here are taken, each other one is told with why."""
    taken, report = mapped(bans=("a@example.net", "^(?=x)", "nobody"))
    assert taken == {"bans": "a@example.net"}
    assert [line.was for line in report if line.outcome == "none"] == ["^(?=x)", "nobody"]


def test_nothing_can_be_a_choice() -> None:
    """A list without prefix stays so, and so does one that takes off no extension; what is empty
    here too needs no line."""
    taken, report = mapped(subject_prefix="", filter_extensions=(), description="", bans=())
    assert taken == {"subject_prefix": "", "filter_extensions": ""}
    assert len(report) == 2


def test_posts_have_no_numbers() -> None:
    """A prefix that counts posts is not taken as text."""
    taken, report = mapped(subject_prefix="[Staff %d] ")
    assert (taken, report[0].why) == ({}, "posts have no numbers")


def test_strangers_with_an_action_come_over() -> None:
    """A nonmember on whom somebody decided stays one; of others there is nothing to keep."""
    old = OldList(
        address=ADDRESS,
        people=(
            OldPerson("eve@example.com", role="nonmember", moderation_action="discard"),
            OldPerson("bob@example.com", role="nonmember"),
        ),
    )
    assert typed(old, ())[0] == {}
    (row,) = plans([old])[0].rows
    assert (row.address, row.role, row.moderation_action) == (
        "eve@example.com",
        "nonmember",
        "discard",
    )


def test_a_list_that_is_not_there_yet_is_named_later() -> None:
    """Lists that name each other are made without that, and told of each other once both are
    there; what else such a setting has, and lists that are there, is set at once."""
    wanted = {"accept_these_nonmembers": "@news a@example.net @There", "emergency": "true"}
    now, later = postponed(wanted, "lists.example.org", {"news@lists.example.org"})
    assert now == {"accept_these_nonmembers": "a@example.net @There", "emergency": "true"}
    assert later == {"accept_these_nonmembers": "@news"}


def test_a_password_is_never_shown() -> None:
    """The report tells that there was one."""
    _, report = mapped(moderator_password="{SSHA}secret")
    assert "secret" not in str(report)


def test_an_answer_to_nobody_is_not_taken() -> None:
    """`explicit_header` without an address cannot be set here, so it is told instead."""
    taken, report = mapped(reply_goes_to_list="explicit_header")
    assert taken == {}
    assert "no reply_to_address" in report[0].why


def test_nobody_joined_before_the_list_was_made() -> None:
    """Mailman 3 knows when an address was verified, which may be long before."""
    made, seen = "2020-01-01T00:00:00", "2010-01-01T00:00:00"
    link = {"self_link": "http://localhost:8001/3.1/members/1"}
    (found,), unknown = answers.lists(
        [
            {"fqdn_listname": ADDRESS, "created_at": made},
            {"entries": [{"email": "a@b.example", "verified_on": seen, "registered_on": seen}]},
            {
                "email": "a@b.example",
                "role": "member",
                "list_id": "staff.lists.example.org",
                **link,
            },
            {"what": "is this"},
        ]
    )
    assert found.people[0].since == datetime(2020, 1, 1, tzinfo=UTC)
    assert unknown == 1


def test_who_joined_last_counts() -> None:
    """Of the log `subscribe` the last joining, of this list only, whatever the address's case."""
    joined = rosters.joined([(GOLDEN / "mailman2" / "subscribe").read_text()]).of("Staff")
    assert joined["ben@example.net"] == datetime(2014, 8, 9, 10, 11, 12, tzinfo=UTC)
    assert joined["carl@example.org"].year == 2013
    assert "dora@example.org" not in joined


def test_mailman_2_keeps_bits_and_numbers() -> None:
    """Moderation, delivery and names come from user_options, delivery_status and usernames."""
    rows = {(row.address, row.role): row for row in staff("mailman2").rows}
    assert rows["ben@example.net", "member"].moderation_action == "reject"
    assert rows["ben@example.net", "member"].display_name == "Bén Ö"
    assert rows["dora@example.org", "member"].delivery_status == "by_bounces"
    assert rows["Ann.Archer@example.net", "member"].since is not None
    assert ("olga@example.net", "owner") in rows
    losses = dict(staff("mailman2").losses)
    assert "digests of 1" in losses
    assert "discard X-Spam-Flag: yes" in staff("mailman2").settings["header_matches"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"entries": [', "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "no list in it"),
    ],
)
def test_wrong_answers_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    """The file and what is wrong with it, in one line."""
    file = tmp_path / "lists.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        sources.mailman3(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "names os.system"),
        (b"", "the file is empty"),
        (b"ann@example.net\n", "damaged"),
        (b"(dp0\n.", "no list of Mailman"),
        (b"}(cos\nsystem\nu.", "names os.system"),
        (b"\x80\x02K\x01.", "no settings"),
    ],
)
def test_wrong_files_of_mailman_2_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    """The same of a `config.pck`."""
    file = tmp_path / "config.pck"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as caught:
        sources.mailman2(file)
    assert str(file) in str(caught.value)


def test_a_lists_own_words_stand_above_our_welcome() -> None:
    """As Mailman 2 had them, in the language of the list; what no letter can say is reported."""
    old: dict[str, Value] = {
        "welcome_msg": "Hallo!\nBitte erst lesen.\n",
        "goodbye_msg": "Bye {nobody}",
        "preferred_language": "de",
    }
    (plan,) = plans([OldList(address=ADDRESS, settings=old)])
    assert [*plan.letters] == ["welcome"]
    assert plan.letters["welcome"].startswith("Hallo!\nBitte erst lesen.\n\nDie Aufnahme in die")
    told = {line.setting: line for line in plan.report}
    assert (told["welcome_msg"].outcome, told["goodbye_msg"].outcome) == ("taken", "none")
    assert "there is no {nobody} in the letter goodbye" in told["goodbye_msg"].why
    assert plan.settings["preferred_language"] == "de"


def test_a_language_comes_over_where_it_is_another_than_the_lists() -> None:
    """By its tag; one in which there are no letters does no harm, and may come to have some."""
    languages = ("en", "de", "pt_BR", "", "?")
    people = tuple(
        OldPerson(address=f"p{at}@example.net", preferred_language=tag)
        for at, tag in enumerate(languages)
    )
    (plan,) = plans(
        [OldList(address=ADDRESS, settings={"preferred_language": "en"}, people=people)]
    )
    found = [row.preferred_language for row in plan.rows]
    assert found == [None, "de", "pt-BR", None, None]
