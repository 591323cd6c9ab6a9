"""Scrubbing: what is masked, what is not, and that values go nowhere else."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ingestion.config import DEFAULT_PII, CollectionConfig, PiiPolicy
from ingestion.errors import ScopeError, VaultError
from ingestion.scrub import Scrubber, marks
from ingestion.scrub import scrubber as module
from ingestion.scrub.pseudonyms import Pseudonyms
from ingestion.scrub.vault import Vault, new_key
from tests.conftest import ROOT, Demo

POLICY = CollectionConfig.model_validate({}).pii
PATTERNS = PiiPolicy.model_validate({"names": "none", "action": "mask", "actions": {}})

PLANTED = {
    "EMAIL_ADDRESS": "annelie.vossberg@mailbox.example",
    "PHONE_NUMBER": "+49 30 901820 45",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN_CODE": "DE89 3704 0044 0532 0130 00",
    "IP_ADDRESS": "203.0.113.77",
    "US_SSN": "536-90-4399",
    "URL_CREDENTIALS": "https://svc_diag:Winter2026!@diag.hub.larkmoor.example/upload",
}
# Type → the words before it, and a value whose check digits are right.
KNOWN = {
    **{entity: ("Please note", value) for entity, value in PLANTED.items()},
    "MAC_ADDRESS": ("The device", "00:1B:44:11:3A:B7"),
    "CRYPTO": ("Pay to", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ"),
    "SECRET_KEY": ("The key is", "AKIAIOSFODNN7EXAMPLE"),
    "US_ITIN": ("My ITIN is", "911-70-1234"),
    "UK_NHS": ("The NHS number is", "943 476 5919"),
    "UK_NINO": ("My number is", "AB123456C"),
    "DE_TAX_ID": ("Steuer-ID", "86095742719"),
    "ES_NIF": ("Mi DNI es", "12345678Z"),
    "ES_NIE": ("Mi NIE es", "X1234567L"),
    "IT_FISCAL_CODE": ("Codice fiscale", "RSSMRA85T10A562S"),
    "PL_PESEL": ("PESEL", "44051401359"),
    "FI_PERSONAL_IDENTITY_CODE": ("Henkilötunnus", "131052-308T"),
    "SE_PERSONNUMMER": ("personnummer", "811218-9876"),
    "NL_BSN": ("Mijn BSN is", "111222333"),
    "FR_NIR": ("numéro de sécurité sociale", "2 55 08 14 168 025 38"),
    "BE_NATIONAL_NUMBER": ("rijksregisternummer", "85.07.30-033.28"),
    "IN_AADHAAR": ("Aadhaar", "2341 2341 2346"),
    "IN_PAN": ("My PAN is", "ABCPE1234F"),
    "AU_TFN": ("My TFN is", "876 543 210"),
    "AU_MEDICARE": ("Medicare card", "2123 45670 1"),
    "SG_NRIC_FIN": ("NRIC", "S1234567D"),
    "TAX_ID": ("My UTR is", "12345 67890"),
    "PASSPORT": ("My passport is", "X1234567"),
    "LICENSE_PLATE": ("My number plate is", "AB12 CDE"),
    "DATE_OF_BIRTH": ("I was born on", "12 March 1981"),
    "PASSWORD": ("The password is", "hunter2"),
    "USERNAME": ("My login is", "kim.lee92"),
}


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(PATTERNS.model_copy(update={"allow": ["*@larkmoor.example"]}))


@pytest.mark.parametrize("entity", [e for e in DEFAULT_PII if e not in ("PERSON", "STREET_ADDRESS")])
def test_each_type_is_masked(scrubber: Scrubber, entity: str) -> None:
    words, value = KNOWN[entity]
    scrubbed = scrubber.scrub(f"{words} {value} for later.")
    assert scrubbed.text == f"{words} <{entity}> for later."
    assert scrubbed.counts == {entity: 1}


@pytest.mark.parametrize("entity", ["NL_BSN", "UK_NHS", "PL_PESEL", "DE_TAX_ID", "AU_TFN", "IN_AADHAAR"])
def test_a_bare_number_is_an_order_number_unless_a_word_beside_it_says_otherwise(entity: str) -> None:
    scrubber = Scrubber(PATTERNS.model_copy(update={"entities": [entity]}))
    words, value = KNOWN[entity]
    assert scrubber.scrub(f"Where is order {value}?").counts == {}
    assert scrubber.scrub(f"{words} {value}").counts == {entity: 1}


def test_scrubbing_is_idempotent(scrubber: Scrubber) -> None:
    once = scrubber.scrub(" and ".join(PLANTED.values())).text
    assert scrubber.scrub(once).text == once


def test_people_and_streets_are_found_in_many_registers() -> None:
    scrubber = Scrubber(POLICY, pseudonyms=Pseudonyms(b"key"))
    texts = {
        "My name is Oluwaseun Adeyemi and I moved.": "Oluwaseun Adeyemi",
        "hi this is priya raghunathan, any news?": "priya raghunathan",
        "Name: Tomás Echeverri\nOrder: 10442": "Tomás Echeverri",
        "Dear Mrs. Kowalczyk,\nthank you for your letter.": "Kowalczyk",
    }
    for text, name in texts.items():
        assert name not in scrubber.scrub(text).text, text
    assert "Lindenweg 17" not in scrubber.scrub("Please send it to Lindenweg 17, 10117 Berlin.").text


def test_scrubbing_names_is_idempotent_too() -> None:
    scrubber = Scrubber(POLICY, pseudonyms=Pseudonyms(b"key"))
    for text in (
        "Dear Mr. Okafor, Anna Lindqvist told me to call Wei Zhang.",
        "Attendees: Maria, José, Dr. Haddad; apologies: Kim",
        "ship to\nLena Wirth\nLindenweg 17\n10117 Berlin",
    ):
        once = scrubber.scrub(text)
        assert once.counts, text
        assert scrubber.scrub(once.text).text == once.text


def test_a_pseudonym_is_the_same_everywhere_under_one_key_and_another_under_another() -> None:
    one, other = (Scrubber(POLICY, pseudonyms=Pseudonyms(key)) for key in (b"one", b"other"))
    first = one.scrub("My name is Anna Lindqvist.").text
    assert re.fullmatch(r"My name is <PERSON_\d+_\d+>\.", first)
    assert first.split("is ")[1] == one.scrub("Signed by: ANNA  LINDQVIST.").text.split("by: ")[1]
    assert other.scrub("My name is Anna Lindqvist.").text != first


def test_a_policy_decides_type_by_type() -> None:
    policy = POLICY.model_copy(
        update={"actions": {"PERSON": "keep", "EMAIL_ADDRESS": "pseudonymise", "US_SSN": "block"}}
    )
    scrubbed = Scrubber(policy, pseudonyms=Pseudonyms(b"k")).scrub(
        "Anna Lindqvist, anna@mailbox.example, 536-90-4399, +49 30 901820 45"
    )
    assert scrubbed.text.startswith("Anna Lindqvist, <EMAIL_ADDRESS_")
    assert scrubbed.text.endswith(", <US_SSN>, <PHONE_NUMBER>")
    assert (scrubbed.blocked, scrubbed.counts["PERSON"]) == ({"US_SSN"}, 1)


def test_names_with_a_larger_model_need_its_package_and_say_so() -> None:
    policy = POLICY.model_copy(update={"names": "gliner:/nowhere"})
    with pytest.raises(ScopeError, match="pip install gliner"):
        Scrubber(policy).warm()
    with pytest.raises(ScopeError, match="No name model 'chatty:x'"):
        Scrubber(POLICY.model_copy(update={"names": "chatty:x"})).warm()


def test_the_vault_gives_values_back_to_the_holder_of_its_key_alone(tmp_path: Path) -> None:
    key = new_key()
    scrubber = Scrubber(POLICY, pseudonyms=Pseudonyms(b"k"))
    (scrubbed,) = scrubber.scrub_all(["My name is Anna Lindqvist."], keep_originals=True)
    Vault(tmp_path, key).put(scrubbed.originals)
    (pseudonym,) = scrubbed.originals
    assert Vault(tmp_path, key).reveal([pseudonym, "<PERSON_0>"]) == {pseudonym: "Anna Lindqvist"}
    assert b"Lindqvist" not in (tmp_path / "vault.sqlite").read_bytes()
    with pytest.raises(VaultError, match="another key"):
        Vault(tmp_path, new_key()).reveal([pseudonym])
    with pytest.raises(VaultError, match="new-key"):
        Vault(tmp_path, "short")


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
    st.text(st.sampled_from("0123456789 .-+()@:/aAfFzZX_\n"), max_size=60)
    | st.sampled_from([f"{words} {value} y" for words, value in KNOWN.values()])
)
@settings(deadline=None)
def test_the_shortcut_never_hides_a_finding(text: str) -> None:
    scrubber = _shared()
    full = scrubber._analyzer.analyze(text, language="en", score_threshold=module._MIN_SCORE)
    relevant = [r for r in full if not scrubber._is_exempt(text, r)]
    if relevant:
        assert marks.may_hold_identifiers(text), [text[r.start : r.end] for r in relevant]


_made: list[Scrubber] = []


def _shared() -> Scrubber:
    if not _made:
        _made.append(Scrubber(PATTERNS))
    return _made[0]


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="SHOE_SIZE"):
        PiiPolicy.model_validate({"entities": ["SHOE_SIZE"]})


def test_no_planted_value_reaches_the_release_or_the_report(demo: Demo) -> None:
    tickets = "".join(p.read_text() for p in (ROOT / "deploy/demo/help/tickets").iterdir())
    assert all(value in tickets for value in PLANTED.values())
    held = b"".join(p.read_bytes() for p in demo.data_dir.rglob("*") if p.is_file())
    for value in PLANTED.values():
        assert value.encode() not in held
    assert set(PLANTED) <= set(demo.report.pii)


@given(st.text(alphabet="0127 -.:/()+@ aAbfFXZxo\n", max_size=300))
@settings(deadline=None)
def test_no_mark_is_missed_by_looking_around_signs_alone(text: str) -> None:
    found = [mark.span() for mark in marks.MARKS.finditer(text)]
    assert bool(found) == marks.may_hold_identifiers(text)
    parts = list(marks.windows(text))
    assert all(any(part.start <= a and b <= part.end for part in parts) for a, b in found)


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("call 030 12345678", True),
        ("+49 (30) 1234-5678.", True),
        ("on 2013-10-10 at ten", False),
        ("from 1914-1918 on", False),
        ("doi 10.1080/22221751.2020.1729071", False),
        ("see PMC7081861", False),
        ("12 rooms", False),
    ],
)
def test_telephones_are_sought_where_there_may_be_one(text: str, may: bool) -> None:
    assert marks.may_hold_telephone(text) is may


def test_telephones_written_together_are_each_masked() -> None:
    run = "+31201234567" * 7
    scrubbed = Scrubber(PiiPolicy(), with_names=False).scrub(run).text
    assert scrubbed == "<PHONE_NUMBER>" * 7


ODD_TEXTS = st.text(st.characters(), max_size=200) | st.text(
    st.sampled_from("4111 DE89-/.:@\n\u200b\u00a0\u0301\ud800\udc00é４ｋ<>_skAKIA"), max_size=200
)


@given(ODD_TEXTS)
@settings(deadline=None, max_examples=150)
def test_any_text_is_scrubbed_and_scrubbing_again_changes_nothing(text: str) -> None:
    scrubber = _shared()
    once = scrubber.scrub(text)
    assert scrubber.scrub(once.text).text == once.text


@given(ODD_TEXTS, st.sampled_from(sorted(PLANTED.values())), ODD_TEXTS)
@settings(deadline=None, max_examples=100)
def test_findings_are_spans_of_the_text_from_left_to_right(before: str, value: str, after: str) -> None:
    text = f"{before} {value} {after}"
    position = 0
    for finding in _shared().find(text):
        assert position <= finding.start < finding.end <= len(text)
        position = finding.end


@pytest.mark.parametrize(
    "gap", ["  ", "\u00a0", "/", " / ", ".", "\u2013", " \u2013 ", "·", "_", "|", "\u200b", "\u2009"]
)
def test_no_gap_between_the_groups_hides_a_card_or_an_account(scrubber: Scrubber, gap: str) -> None:
    for entity in ("CREDIT_CARD", "IBAN_CODE"):
        written = PLANTED[entity].replace(" ", gap)
        assert scrubber.scrub(f"It is {written} now.").text == f"It is <{entity}> now."


@pytest.mark.parametrize(
    ("entity", "written"),
    [
        ("CREDIT_CARD", "4111 1111\n1111 1111"),
        ("CREDIT_CARD", "3782.822463.10005"),
        ("CREDIT_CARD", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        ("IBAN_CODE", "DE89 3704 0044\n0532 0130 00"),
        ("IBAN_CODE", "de89370400440532013000"),
        ("US_SSN", "536 - 90 - 4399"),
        ("US_SSN", "536\u201390\u20134399"),
        ("US_SSN", "536  90  4399"),
        ("PHONE_NUMBER", "+49\u00a030\u00a0901820\u00a045"),
        ("EMAIL_ADDRESS", "annelie.vossberg＠mailbox.example"),
        ("SECRET_KEY", "AKIA IOSF ODNN 7EXA MPLE"),
    ],
)
def test_an_identifier_is_known_however_its_groups_are_written(
    scrubber: Scrubber, entity: str, written: str
) -> None:
    assert scrubber.scrub(f"It is {written} now.").text == f"It is <{entity}> now."


@pytest.mark.parametrize(
    "text",
    [
        "In 2003/2004/2005/2006 and 1999 2003 2005 2006.",
        "At 52.5702100309281 north on 1548138160707; lat: 52.5702100309281; lon: -9.28",
        "Firmware 3.12.0.4 repairs the clock of spare part 4023.1125.7781.",
        "Bar code 4006381333931.",
        "4111\n1111\n1111\n1111",
    ],
)
def test_years_coordinates_versions_and_bar_codes_are_no_identifiers(scrubber: Scrubber, text: str) -> None:
    assert scrubber.scrub(text).text == text


def test_a_long_run_of_numbers_is_found_without_overlaps() -> None:
    text = "4111 1111 1111 1111" * 40 + " and so on."
    found = Scrubber(PiiPolicy(), with_names=False).find(text)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
