"""What a row before it says is no further row; what differs in a number, in its passages or in a judgement is."""

from dataclasses import replace

from finetune.lora.duplicates import duplicates_of
from finetune.lora.rows import Row, Source

LONG = (
    "The Hub joins the sensors of a home and talks to them by radio. It stands near the router, has a cable for the first"
    " start and works without one afterwards. When the ring on its top is yellow it waits for a network, when it is white"
    " all is well, and when it stays dark it has no power. Keep it away from thick walls and from other radios."
)


def row(question: str, completion: str, *, passage: str = "A passage.", kind: str = "document") -> Row:
    messages = ({"role": "user", "content": f"{passage} {question}"},)
    source = Source("curated" if kind == "curated" else "document", "a")
    return Row("sft", "g", messages, completion, (source,), question=question)


def test_a_copy_is_told_from_what_is_nearly_one() -> None:
    rows = [
        row("What does Plus cost?", "It costs €4. [1]"),
        row("what does plus cost", "It costs €4! [1]"),
        row("What would Plus cost me?", "It costs €4. [1]"),
        row("What does Plus cost?", "It costs €5. [1]"),
        row("What does Pro cost?", "It costs €4. [1]"),
    ]
    assert duplicates_of(rows) == [None, "duplicate", "near_duplicate", None, None]


def test_a_question_beside_other_passages_is_another_row_and_what_people_wrote_is_not() -> None:
    for kind, expected in (("document", None), ("curated", "duplicate")):
        rows = [
            row("What does Plus cost?", "It costs €4. [1]", passage=f"Passage {i}.", kind=kind)
            for i in range(2)
        ]
        assert duplicates_of(rows) == [None, expected], kind


def test_two_judgements_of_an_answer_are_two_rows() -> None:
    good = replace(row("Why?", "So.", kind="curated"), kind="kto", is_good=True)
    assert duplicates_of([good, replace(good, is_good=False), good]) == [None, None, "duplicate"]


def test_long_texts_are_compared_by_their_runs_of_words() -> None:
    first = Row("text", "g", (), LONG, (Source("document", "a"),))
    reworded = replace(first, completion=LONG.replace("thick walls", "heavy doors"))
    other = replace(first, completion=LONG.replace("yellow", "yellow for 5 minutes"))
    assert duplicates_of([first, reworded, other]) == [None, "near_duplicate", None]
