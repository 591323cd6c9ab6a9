"""Where little is scrubbed: program code, and documents that were cleared as holding no personal data."""

from pathlib import Path

import pytest

from ingestion.config import CODE_PII, SECRET_PII, CollectionConfig, PiiPolicy
from ingestion.corpus import Source
from ingestion.prepare.preparer import Plan, Preparer
from tests.ingestion.corpora import DIMENSION  # noqa: F401  (the corpora's vectors have the fake embedder's length)

CODE = """# Setup

Write to jo.bell@mailbox.example or call +49 30 90182045.

```
ping 203.0.113.77
card = 4111111111111111
mail = jo.bell@mailbox.example
key = AKIAIOSFODNN7EXAMPLE
tel = +49 30 90182045
```
"""


def prepared(tmp_path: Path, legal_basis: str, **pii: object) -> str:
    clearance = {"supplier": "tests", "licence": "internal", "legal_basis": legal_basis}
    config = CollectionConfig.model_validate({"clearance": clearance, "pii": {"names": "none", **pii}})
    data = CODE.encode()
    source = Source("a.md", "a.md", "d", len(data), data=data)
    return Preparer(Plan(config, tmp_path)).prepare(source).document.text


def test_code_loses_secrets_mails_and_cards_alone(tmp_path: Path) -> None:
    text = prepared(tmp_path, "contract")
    prose, code = text.split("\n\n", 2)[1:]
    assert prose == "Write to <EMAIL_ADDRESS> or call <PHONE_NUMBER>."
    assert "ping 203.0.113.77" in code
    assert "tel = +49 30 90182045" in code
    assert all(f"<{one}>" in code for one in ("CREDIT_CARD", "EMAIL_ADDRESS", "SECRET_KEY"))


def test_documents_without_personal_data_lose_secrets_alone(tmp_path: Path) -> None:
    text = prepared(tmp_path, "no_personal_data")
    assert text.count("jo.bell@mailbox.example") == 2
    assert "4111111111111111" in text
    assert "AKIA" not in text


@pytest.mark.parametrize("legal_basis", ["contract", "no_personal_data"])
def test_a_policy_may_ask_for_all_types_everywhere(tmp_path: Path, legal_basis: str) -> None:
    text = prepared(tmp_path, legal_basis, everywhere=True)
    assert not any(one in text for one in ("203.0.113.77", "90182045", "4111", "jo.bell", "AKIA"))


def test_a_policy_is_limited_to_what_it_looks_for() -> None:
    policy = PiiPolicy.model_validate({"entities": ["SECRET_KEY", "PERSON"]})
    assert policy.of_code().entities == policy.of_cleared().entities == ["SECRET_KEY"]
    assert set(SECRET_PII) < set(CODE_PII)


def test_one_policy_holds_where_all_sources_are_cleared_alike() -> None:
    basis = {"supplier": "tests", "licence": "internal"}
    contract, none = ({**basis, "legal_basis": one} for one in ("contract", "no_personal_data"))
    alike = CollectionConfig.model_validate({"clearance": none, "sources": ["a", "b"]})
    assert alike.one_pii_policy == alike.pii.of_cleared().digest
    mixed = {"clearance": contract, "sources": ["a", {"path": "b", "clearance": none}]}
    assert CollectionConfig.model_validate(mixed).one_pii_policy is None
