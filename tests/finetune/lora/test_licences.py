"""Licences are told apart by any spelling, and what forbids an adapter is refused whatever a list says."""

from typing import Any

import pytest

from finetune.lora.licences import by_licence, decide, decide_one, normalised
from finetune.lora.recipe import Recipe
from finetune.lora.rows import Row, Source
from finetune.yaml_file import TrainingDataError


def recipe(*, base: str | None = "apache-2.0", **licences: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "support",
            "assistant": "support",
            "base": {"path": "var/model", "served_as": "model", "licence": base},
            "licences": licences,
        }
    )


@pytest.mark.parametrize(
    ("written", "spdx"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/", "CC-BY-NC-SA-3.0"),
        ("Attribution-NonCommercial, Creative Commons 4.0", "CC-BY-NC-4.0"),
        ("CC BY-ND 4.0", "CC-BY-ND-4.0"),
        ("Creative Commons Attribution Share Alike 4.0", "CC-BY-SA-4.0"),
        ("Creative Commons Non-Commercial No-Derivatives 2.0", "CC-BY-NC-ND-2.0"),
        ("cc0", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("apache-2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache License v2", "Apache-2.0"),
        ("The MIT License", "MIT"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("GPLv3", "GPL-3.0-only"),
        ("GNU General Public License v3.0", "GPL-3.0-only"),
        ("GNU Affero General Public License v3 or later", "AGPL-3.0-or-later"),
        ("agpl-3.0+", "AGPL-3.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("Open Database License", "ODbL-1.0"),
        ("Internal use only", "internal"),
        ("", "unknown"),
        ("N/A", "unknown"),
        (None, "unknown"),
        ("Llama 3.1  Community", "Llama 3.1 Community"),
    ],
)
def test_a_licence_has_one_name_however_it_is_written(written: str | None, spdx: str) -> None:
    assert normalised(written) == spdx
    assert normalised(spdx) == spdx


def test_what_is_on_the_list_is_allowed_and_the_adapter_keeps_the_licence_of_its_base() -> None:
    decision = decide(recipe(), {"CC BY 4.0": ["Statistics office"], "MIT": ["A paper"]})
    assert [one.outcome for one in (decision.base, *decision.data)] == ["allowed"] * 3
    assert decision.adapter == "Apache-2.0"
    assert "CC-BY-4.0" in decision.credits
    decision.check()


def test_internal_data_keep_the_adapter_internal() -> None:
    assert decide(recipe(), {"internal": ["Service"], "CC-BY-4.0": ["Office"]}).adapter == "internal"


def test_the_unknown_waits_for_a_person_and_passes_with_their_name() -> None:
    refused = decide(recipe(base=None), {"Terms of Acme": ["Acme"]})
    assert [one.outcome for one in (refused.base, *refused.data)] == ["refused"] * 2
    assert "'var/model'" in refused.refusals[0]
    assert "licences.approved" in refused.refusals[0]
    assert "'Acme'" in refused.refusals[1]
    with pytest.raises(TrainingDataError, match="Terms of Acme"):
        refused.check()
    approved = [
        {"licence": "unknown", "by": "Ana", "reason": "made here"},
        {"licence": "terms of acme", "by": "Ben", "reason": "contract of March"},
    ]
    decision = decide(recipe(base=None, approved=approved), {"Terms of Acme": ["Acme"]})
    assert decision.base.by == "Ana"
    assert (decision.data[0].outcome, decision.data[0].by) == ("approved", "Ben")
    assert decision.record()["data"][0]["reason"] == "contract of March"


@pytest.mark.parametrize(
    ("licence", "because"),
    [
        ("CC BY-NC 4.0", "forbids commercial use"),
        ("CC BY-NC-SA 4.0", "forbids commercial use"),
        ("CC-BY-ND-4.0", "forbids adaptations"),
        ("GPL-3.0", "copyleft"),
        ("GPL-2.0 WITH Classpath-exception-2.0", "copyleft"),
        ("LGPL-2.1-or-later", "copyleft"),
        ("MIT AND CC-BY-NC-4.0", "forbids commercial use"),
    ],
)
def test_a_conflict_is_refused_even_where_it_is_listed_and_approved(licence: str, because: str) -> None:
    approved = [{"licence": licence, "by": "Ana", "reason": "we like it"}]
    decision = decide(recipe(allow=["Apache-2.0", licence], approved=approved), {licence: ["Forum dump"]})
    assert decision.data[0].outcome == "refused"
    (sentence,) = decision.refusals
    assert because in sentence
    assert "'Forum dump'" in sentence
    assert "leave it out" in sentence
    base = decide(recipe(base=licence, approved=approved), {})
    assert base.base.outcome == "refused"


def test_share_alike_data_make_a_share_alike_adapter_or_none() -> None:
    allow = ["Apache-2.0", "internal", "CC-BY-SA-4.0", "ODbL-1.0"]
    alone = decide(recipe(allow=allow), {"CC-BY-SA-4.0": ["Encyclopaedia"]})
    assert alone.refusals == []
    assert alone.adapter == "CC-BY-SA-4.0"
    for other in ("internal", "ODbL-1.0"):
        beside = decide(recipe(allow=allow), {"CC-BY-SA-4.0": ["Encyclopaedia"], other: ["Shop"]})
        assert len(beside.refusals) == 1, other
        assert "shared alike" in beside.refusals[0]
    assert "isn't on the list" in decide(recipe(), {"CC-BY-SA-4.0": ["Encyclopaedia"]}).refusals[0]


def test_of_two_licences_to_choose_from_one_is_enough() -> None:
    assert decide(recipe(), ["MIT OR GPL-2.0-only"]).refusals == []
    assert decide(recipe(), ["GPL-2.0-only OR CC-BY-NC-4.0"]).refusals != []


def test_what_people_said_in_the_service_is_internal_and_a_document_without_a_licence_is_unknown() -> None:
    sources = (
        Source("document", "a.md", licence="CC BY 4.0", supplier="Office"),
        Source("document", "b.md", supplier="Team"),
        Source("event", "e1"),
    )
    rows = [Row("sft", "g", (), "Yes. [1]", (source,)) for source in sources]
    assert by_licence(rows) == {"CC-BY-4.0": ["Office"], "internal": ["event"], "unknown": ["Team"]}


def test_a_candidate_is_judged_alone() -> None:
    assert decide_one(recipe().licences, "Apache 2.0", "small").outcome == "allowed"
    assert "'large'" in decide_one(recipe().licences, "CC-BY-NC-4.0", "large").reason
