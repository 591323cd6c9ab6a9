"""The language of a text that does not say."""

from collections.abc import Sequence
from functools import lru_cache

_SAMPLE_CHARACTERS = 4_000


@lru_cache(maxsize=8)
def _identifier(languages: tuple[str, ...]):  # type: ignore[no-untyped-def]
    # The model takes a second to unpack, which only documents without a declared language need.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(languages))
    return identifier


def guess_language(text: str, languages: Sequence[str]) -> str:
    """The likeliest of `languages` (ISO 639-1) for `text`; the only one without a look."""
    if len(languages) == 1:
        return languages[0]
    return str(_identifier(tuple(languages)).classify(text[:_SAMPLE_CHARACTERS])[0])
