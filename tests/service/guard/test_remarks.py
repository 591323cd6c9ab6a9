"""What people write about answers is masked by the policy of the answer's assistant, and by all where that isn't known."""

from ingestion.config import PiiPolicy
from ingestion.scrub import Scrubber
from service.guard.chain import Digests
from service.guard.remarks import RemarkMasks, redactors
from service.scope.policy import policy_of

TEXT = "Ask mara.kovac@example.org from 192.168.7.11, key sk-abcdefghijklmnopqrstuvwx."


def masks() -> RemarkMasks:
    """One assistant masks addresses of mail, the other those of machines; both mask secrets."""
    found = {}
    for name, entity in (("mail", "EMAIL_ADDRESS"), ("network", "IP_ADDRESS")):
        scrubber = Scrubber(PiiPolicy(entities=[entity]), with_names=False)
        found[name] = lambda scrubber=scrubber: redactors(policy_of(), scrubber, Digests(b"k"))
    return RemarkMasks(found)


def test_an_assistant_s_own_policy_masks_what_is_said_of_its_answers() -> None:
    mail, network = (masks().mask(TEXT, name) for name in ("mail", "network"))
    assert ("mara.kovac" in mail, "192.168.7.11" in mail) == (False, True)
    assert ("mara.kovac" in network, "192.168.7.11" in network) == (True, False)
    assert "sk-abc" not in mail + network


def test_an_unknown_assistant_has_every_policy() -> None:
    for name in (None, "gone"):
        masked = masks().mask(TEXT, name)
        assert not any(secret in masked for secret in ("mara.kovac", "192.168.7.11", "sk-abc"))


def test_a_policy_that_masks_nothing_keeps_the_text() -> None:
    nothing = policy_of({"input": {"pii": "off", "secrets": "off"}})
    scrubber = Scrubber(PiiPolicy(), with_names=False)
    kept = RemarkMasks({"a": lambda: redactors(nothing, scrubber, Digests(b"k"))})
    assert kept.mask(TEXT, "a") == TEXT
