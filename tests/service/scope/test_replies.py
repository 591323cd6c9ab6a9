"""What an assistant says of itself has one text or one for each language."""

import pytest

from service.scope.file import Assistant
from service.scope.replies import ABSTAIN, REFUSE, SMALL_TALK, text_in


def test_each_reply_is_written_in_the_same_languages() -> None:
    assert ABSTAIN.keys() == REFUSE.keys() == SMALL_TALK.keys()


def test_a_language_that_is_missing_gets_english_or_the_first() -> None:
    assert text_in("One text.", "de") == "One text."
    assert text_in({"en": "No.", "de": "Nein."}, "de") == "Nein."
    assert text_in({"en": "No.", "de": "Nein."}, "tr") == "No."
    assert text_in({"fr": "Non.", "de": "Nein."}, "tr") == "Non."


def test_an_operator_writes_one_text_or_several() -> None:
    assert Assistant(collection="help", variant="v", abstain_message="No.").abstain_message == "No."
    several = Assistant(
        collection="help", variant="v", abstain_message={"de": "Nein."}, small_talk_message=None
    )
    assert (several.abstain_message, several.small_talk_message) == ({"de": "Nein."}, None)
    for wrong in ({}, {"german": "Nein."}, {"de": ""}, ""):
        with pytest.raises(ValueError, match="abstain_message"):
            Assistant(collection="help", variant="v", abstain_message=wrong)
