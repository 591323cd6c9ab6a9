"""Credentials are found by their form, in what is indexed and in what is said alike."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.config import PiiPolicy
from ingestion.scrub import Scrubber
from ingestion.scrub.secrets import ASSIGNED, CREDENTIALS, FORMS, URL_PASSWORD
from service.guard.chain import Digests
from service.guard.checks.secrets import SecretGuard

PROSE = "The workshop mends lamps of every kind, and whoever brings one waits in the hall. "
MIDDLE = (PROSE * 13)[:1_000].rpartition(" ")[0]
SCRUBBER = Scrubber(PiiPolicy.model_validate({"names": "none", "action": "mask", "actions": {}}))
GUARD = SecretGuard(Digests(b"t"))
LINE = "MIIEpAIBAAKCAQEAx9ZqTq83hXkbVdYtmPzwQeRuTnAabcdefghijkLMNOPqrstu"


def values(form: str) -> st.SearchStrategy[str]:
    """What a form matches as a whole, no longer than keys are."""
    printable = st.characters(min_codepoint=33, max_codepoint=126)
    found = st.from_regex(re.compile(form, re.ASCII), fullmatch=True, alphabet=printable)
    return found.filter(lambda value: len(value) < 200)


@pytest.mark.parametrize("name", CREDENTIALS)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_credential_amid_prose_is_neither_indexed_nor_said(name: str, data: st.DataObject) -> None:
    value = data.draw(values(CREDENTIALS[name]))
    text = f"{MIDDLE} {value} {MIDDLE}"
    assert SCRUBBER.scrub(text).text == f"{MIDDLE} <SECRET_KEY> {MIDDLE}"
    assert GUARD.apply(text, "output")[0] == f"{MIDDLE} <SECRET> {MIDDLE}"


@given(value=values(URL_PASSWORD))
@settings(max_examples=60, deadline=None)
def test_a_password_in_a_url_is_neither_indexed_nor_said(value: str) -> None:
    text = f"{MIDDLE} {value} {MIDDLE}"
    assert value not in SCRUBBER.scrub(text).text
    assert GUARD.apply(text, "output")[0] == f"{MIDDLE} <SECRET> {MIDDLE}"


@given(value=values(ASSIGNED))
@settings(max_examples=60, deadline=None)
def test_a_value_that_is_called_a_secret_is_not_said(value: str) -> None:
    assert value not in GUARD.apply(f"{MIDDLE} {value} {MIDDLE}", "output")[0]


def test_every_form_has_a_test_here() -> None:
    assert set(FORMS) == {*CREDENTIALS, "URL_PASSWORD", "ASSIGNED"}


@pytest.mark.parametrize("gap", ["\n", "\r\n", " ", "\\n"])
@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
@pytest.mark.parametrize("lines", [1, 30])
@pytest.mark.parametrize("has_end", [True, False])
def test_a_private_key_is_taken_out_with_all_its_lines(
    gap: str, kind: str, lines: int, has_end: bool
) -> None:
    body = [LINE] * lines + (["aB3=", f"-----END {kind}PRIVATE KEY-----"] if has_end else [])
    key = gap.join([f"-----BEGIN {kind}PRIVATE KEY-----", *body])
    shown = SCRUBBER.scrub(f"{MIDDLE}\n\n{key}\n\n{MIDDLE}").text
    assert shown == f"{MIDDLE}\n\n<SECRET_KEY>\n\n{MIDDLE}"
    assert SCRUBBER.scrub(shown).text == shown


def test_headers_of_a_private_key_go_with_it() -> None:
    headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF"
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{headers}\n\n{LINE}\n-----END RSA PRIVATE KEY-----"
    assert SCRUBBER.scrub(f"Keep it: {key} and go.").text == "Keep it: <SECRET_KEY> and go."


@pytest.mark.parametrize(
    "text",
    [
        "Choose the size on the desk-top, ask-me-anything-about-lamps or xoxo.",
        "The task-force-for-lamps-and-cables met; SG. Wessels and TS-1 came.",
        "Write -----BEGIN PUBLIC KEY----- for a key that is not private.",
        "asia-pacific-region-headquarters, Asianaustralian, hf_tokenizers, npm_install",
    ],
)
def test_words_that_look_a_little_like_keys_stay(text: str) -> None:
    assert SCRUBBER.scrub(text).text == text
    assert GUARD.apply(text, "output")[0] == text
