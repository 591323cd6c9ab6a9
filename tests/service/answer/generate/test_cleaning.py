"""What a model writes for itself never leaves, wherever a stream splits it; what it says always does."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.answer.generate.cleaning import Cleaner

NONCE = "ab12cd34"
MARKS = [
    "<think>The user asks. Passage 1 says ten.</think>", "<think></think>\n\n", "<Thinking>hm</Thinking>",
    "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "</s>", "<s>", "[/INST]", "<</SYS>>", "<end_of_turn>", "<eos>",
    "<｜end▁of▁sentence｜>", f"<passage-{NONCE} number=2>", f"</passage-{NONCE}>", f"passage-{NONCE}", NONCE,
    "</passage>", "<passage number=1>", "‹/passage-1234›",
]  # fmt: skip
SAID = [
    "You get ten codes. ",
    "[1]",
    " It is 5 < 6.",
    "a <b",
    "(see [2, 3])",
    "[not a mark]",
    "\n",
    "€9.90 ",
    "x<y>z ",
    "1 << 2",
]
LEAKS = re.compile(
    r"think|hm\b|The user|\|im_|eot_id|</?s>|INST|SYS|_of_turn|eos>|sentence|passage|" + NONCE, re.I
)


def cleaned(pieces: list[str], **changes: bool) -> tuple[str, Cleaner]:
    cleaner = Cleaner(NONCE, **changes)
    out = ""
    for piece in pieces:
        said = cleaner.feed(piece)
        if cleaner.is_void:
            out, cleaner.is_void = "", False
        out += said
    return out + cleaner.close(), cleaner


def split(text: str, cuts: list[int]) -> list[str]:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in zip(places, places[1:], strict=False)]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(SAID + MARKS), max_size=8), st.lists(st.integers(0, 300), max_size=12))
@example(["You get ten codes. ", f"</passage-{NONCE}>"], [25, 30])
@example(["[1]", "<think></think>\n\n"], [18])
@example(["<</SYS>>"], [7])
def test_marks_never_leave_and_words_do_wherever_the_stream_is_cut(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    said, _ = cleaned(split(text, cuts))
    assert not LEAKS.search(said)
    assert said == cleaned([text])[0]
    assert said.split() == "".join(part for part in parts if part in SAID).split()


@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_text_is_read_the_same_however_it_comes(pieces: list[str]) -> None:
    whole, _ = cleaned(["".join(pieces)])
    assert cleaned(pieces)[0] == whole


@pytest.mark.parametrize(
    "turn",
    [
        "<|im_start|>user\n",
        "<|start_header_id|>user<|end_header_id|>\n",
        "<start_of_turn>user\n",
        "[INST]",
        "<|user|>",
    ],
)
def test_another_turn_ends_the_answer_and_opens_none(turn: str) -> None:
    said, cleaner = cleaned(list(f"You get ten.{turn}What else?"))
    assert (said, cleaner.has_ended) == ("You get ten.", True)
    said, cleaner = cleaned(list(f"{turn.replace('user', 'assistant')}You get ten."))
    assert (said, cleaner.has_ended) == ("You get ten.", False)


def test_a_thought_without_an_end_is_no_answer() -> None:
    assert cleaned(["<think>", "The user wants codes."])[0] == ""
    assert cleaned(["You get ten. <think>The user"])[0] == "You get ten. "


def test_a_thought_without_a_beginning_voids_what_was_said() -> None:
    cleaner = Cleaner(NONCE)
    assert cleaner.feed("The user wants codes. ") == "The user wants codes. "
    assert cleaner.feed("</thi") == ""
    assert not cleaner.is_void
    assert cleaner.feed("nk>\n\nTen. [1]") == "Ten. [1]"
    assert cleaner.is_void


@given(st.lists(st.integers(0, 60), max_size=9))
def test_where_a_template_may_open_the_thoughts_the_text_waits_for_their_end(cuts: list[int]) -> None:
    for text in (
        "The user wants codes.</think>\nTen. [1]",
        "<think>hm</think>Ten. [1]",
        "Ten. [1]<|im_end|>",
    ):
        assert cleaned(split(text, cuts), may_think=True)[0] == "Ten. [1]"


@pytest.mark.parametrize("tail", ["<|im_e", "</passage-ab", "<thi", "<passage-ab12cd34 numb", "‹/passage"])
def test_half_a_mark_at_the_end_goes(tail: str) -> None:
    assert cleaned([f"Ten. {tail}"])[0].strip() == "Ten."
