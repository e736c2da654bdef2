"""Who joins or leaves at once, who is asked, and whom owners decide on."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.lists import Policy
from services.membership.requests.policy import Step, joining, leaving

policies = st.sampled_from(get_args(Policy))


@pytest.mark.parametrize(
    ("policy", "stranger", "proved", "confirmed"),
    [
        ("open", "do", "do", "do"),
        ("confirm", "ask", "ask", "do"),
        ("moderate", "ask", "wait", "wait"),
        ("confirm_then_moderate", "ask", "ask", "wait"),
    ],
)
def test_who_joins(policy: Policy, stranger: Step, proved: Step, confirmed: Step) -> None:
    """Consent is an answer, also of whom owners decide on; only a proved From spares it them."""
    assert joining(policy, proved=False, confirmed=False) == stranger
    assert joining(policy, proved=True, confirmed=False) == proved
    assert joining(policy, proved=False, confirmed=True) == confirmed


@pytest.mark.parametrize(
    ("policy", "stranger", "proved", "confirmed"),
    [
        ("open", "do", "do", "do"),
        ("confirm", "ask", "do", "do"),
        ("moderate", "ask", "wait", "wait"),
        ("confirm_then_moderate", "ask", "ask", "wait"),
    ],
)
def test_who_leaves(policy: Policy, stranger: Step, proved: Step, confirmed: Step) -> None:
    """Under `confirm` nobody is kept by a question whose provider proves that it is they."""
    assert leaving(policy, proved=False, confirmed=False) == stranger
    assert leaving(policy, proved=True, confirmed=False) == proved
    assert leaving(policy, proved=False, confirmed=True) == confirmed


@given(policies, st.booleans())
def test_no_forger_gets_past_the_question(policy: Policy, invited: bool) -> None:
    """On no list but an open one does a mail that anybody may have written do anything, or reach
    the owners; under `confirm` nothing but an answer does, whatever is proved."""
    if policy != "open":
        assert joining(policy, proved=False, confirmed=False, invited=invited) == "ask"
        assert leaving(policy, proved=False, confirmed=False) == "ask"
    assert joining("confirm", proved=invited, confirmed=False) == "ask"


@given(policies)
def test_whom_owners_invite_they_need_not_let_in(policy: Policy) -> None:
    """An invitation that was answered needs no verdict besides."""
    assert joining(policy, proved=False, confirmed=True, invited=True) == "do"
