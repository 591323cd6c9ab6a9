"""Near copies that compete for one question are told from pages that a site writes alike."""

import pytest

from ingestion.corpus import Block, Document
from ingestion.prepare.preparer import assemble
from ingestion.prepare.rivals import beginning, question_at, rivals


def document(*blocks: Block) -> Document:
    text, spans = assemble(blocks)
    return Document("a", "A", "a", "d", "en", text, spans)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Who founded the Zephyr works in Leeds? It was", "who founded the zephyr works in leeds"),
        ("The man who built the Zephyr works lived where? He", "the man who built the zephyr works lived"),
        ("Who was born first, Anna Vale or Bert Moor", "who was born first anna vale or bert"),
        ("Wann wurde die Firma Zephyr gegründet? Im", "wann wurde die firma zephyr gegründet"),
        ("Zephyr 公司是什么时候成立的 在 英国 利兹？", "zephyr 公司是什么时候成立的 在 英国 利兹"),
        ("Really? Yes.", None),
        ("The Zephyr TX-2000 is a fan for rooms of 20 square metres.", None),
        ("Home Products Support Contact About us Sign in", None),
        ("", None),
    ],
)
def test_a_question_at_the_beginning_is_seen(text: str, question: str | None) -> None:
    assert question_at(text) == question


def test_the_question_may_stand_below_a_heading_and_not_in_the_middle() -> None:
    asked = Block("paragraph", "Who founded the Zephyr works in Leeds? Carl Vale did.")
    assert (
        beginning(document(Block("heading", "Page 7", 1), asked)) == "who founded the zephyr works in leeds"
    )
    others = [Block("paragraph", f"Line {n}.") for n in range(5)]
    assert beginning(document(*others, asked)) is None


def test_only_what_answers_alike_competes() -> None:
    question = "who founded the zephyr works in leeds"
    asked = "Who founded the Zephyr works in Leeds? "
    alike = [
        asked + "Carl Vale founded the Zephyr works, as the town's records of 1890 show.",
        asked + "The records of the town show that Carl Vale founded it in 1890.",
        asked + "In 1890 it was founded by Carl Vale, the records of that year say.",
    ]
    other = asked + "Shipping takes three days within Europe; parcels are insured."
    assert rivals([*alike, other], question) == [0, 1, 2]
    assert rivals([other], question) == []
