"""Scrubbing: what is masked, what is not, and that values go nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.collection import DEFAULT_PII, CollectionConfig
from ingestion.errors import ScopeError
from ingestion.scrub import Scrubber
from ingestion.scrub import scrubber as module
from tests.conftest import ROOT, Demo

POLICY = CollectionConfig.model_validate({}).pii

PLANTED = {
    "EMAIL_ADDRESS": "annelie.vossberg@mailbox.example",
    "PHONE_NUMBER": "+49 30 901820 45",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN_CODE": "DE89 3704 0044 0532 0130 00",
    "IP_ADDRESS": "203.0.113.77",
    "US_SSN": "536-90-4399",
    "URL_CREDENTIALS": "https://svc_diag:Winter2026!@diag.hub.larkmoor.example/upload",
}


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(POLICY.entities, allow=["*@larkmoor.example"], regions=POLICY.regions)


@pytest.mark.parametrize("entity", DEFAULT_PII)
def test_each_type_is_masked(scrubber: Scrubber, entity: str) -> None:
    scrubbed = scrubber.scrub(f"Please note {PLANTED[entity]} for later.")
    assert scrubbed.text == f"Please note <{entity}> for later."
    assert scrubbed.counts == {entity: 1}


def test_scrubbing_is_idempotent(scrubber: Scrubber) -> None:
    once = scrubber.scrub(" and ".join(PLANTED.values())).text
    assert scrubber.scrub(once).text == once


@pytest.mark.parametrize(
    "text",
    [
        "Order LM-20481937 of 2026-03-14 09:12 costs €1,299.00.",
        "Opened: 2026-03-14  Closed: 2026-03-20",
        "Write to help@larkmoor.example between 08:00 and 22:00.",
        "Version 4.12.3 holds 99.95 % of 0.3 micrometres; code E-214; TCP 443 and 8883.",
        "The picture has 2,560 × 1,920 pixels and works from −20 to 50 °C.",
    ],
)
def test_business_numbers_and_public_addresses_stay(scrubber: Scrubber, text: str) -> None:
    assert scrubber.scrub(text).text == text


@given(
    st.text(st.sampled_from("0123456789 .-+()@:/aAfFzZ\n"), max_size=60)
    | st.sampled_from([f"x {value} y" for value in PLANTED.values()])
)
def test_the_shortcut_never_hides_a_finding(text: str) -> None:
    scrubber = _shared()
    full = scrubber._analyzer.analyze(text, language="en", score_threshold=module._MIN_SCORE)
    relevant = [r for r in full if not scrubber._is_exempt(text[r.start : r.end], r)]
    if relevant:
        assert module.may_hold_personal_data(text), [text[r.start : r.end] for r in relevant]


_made: list[Scrubber] = []


def _shared() -> Scrubber:
    if not _made:
        _made.append(Scrubber(POLICY.entities, regions=POLICY.regions))
    return _made[0]


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(ScopeError, match="SHOE_SIZE"):
        Scrubber(["SHOE_SIZE"]).scrub("12345678")


def test_no_planted_value_reaches_the_release_or_the_report(demo: Demo) -> None:
    tickets = "".join(p.read_text() for p in (ROOT / "deploy/demo/help/tickets").iterdir())
    assert all(value in tickets for value in PLANTED.values())
    held = b"".join(p.read_bytes() for p in demo.data_dir.rglob("*") if p.is_file())
    for value in PLANTED.values():
        assert value.encode() not in held
    assert set(demo.report.pii) == set(DEFAULT_PII)
