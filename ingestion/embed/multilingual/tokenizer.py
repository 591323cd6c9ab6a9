"""The tokenizer of multilingual-e5-small as a `tokenizers` file, from its pieces. SentencePiece's Unigram (Kudo 2018)."""

import json
import unicodedata
from collections import defaultdict
from typing import Any

from ingestion.embed.multilingual.weights import Pieces

# SentencePiece's mark of a space; every word begins with it.
_SPACE = "▁"
# What Unicode's NFKC replaces and the model's own rules leave; it is a private character while NFKC runs.
_KEPT = {"\uff5e": "\U0010fffd"}


def tokenizer_json(pieces: Pieces) -> str:
    """A file for `Tokenizer.from_file`: NFKC with the model's exceptions, words, Unigram, and the marks around a text."""
    begin, end = _name(pieces, pieces.begin), _name(pieces, pieces.end)
    vocabulary = [[_name(pieces, number), pieces.scores[number]] for number in range(len(pieces.texts))]
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [],
            "normalizer": {"type": "Sequence", "normalizers": _normalizers(pieces)},
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "WhitespaceSplit"},
                    {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True},
                ],
            },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [_special(begin), {"Sequence": {"id": "A", "type_id": 0}}, _special(end)],
                "pair": [],
                "special_tokens": {
                    begin: {"id": begin, "ids": [pieces.begin], "tokens": [begin]},
                    end: {"id": end, "ids": [pieces.end], "tokens": [end]},
                },
            },
            "model": {
                "type": "Unigram",
                "unk_id": pieces.unknown,
                "vocab": vocabulary,
                "byte_fallback": False,
            },
        },
        ensure_ascii=False,
    )


def _name(pieces: Pieces, number: int) -> str:
    """A piece. Those that stand for no text, such as `<s>`, begin with a space, which no word has: what somebody writes
    can't be taken for one."""
    text = pieces.texts[number]
    return f" {text}" if text.startswith("<") and text.endswith(">") and pieces.scores[number] == 0 else text


def _special(name: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": 0}}


def _normalizers(pieces: Pieces) -> list[dict[str, Any]]:
    """NFKC, which composes marks too; what the model's rules replace otherwise comes before."""
    otherwise: dict[str, list[int]] = defaultdict(list)
    for character, by in pieces.replaced.items():
        if unicodedata.normalize("NFKC", chr(character)) != by:
            otherwise[by].append(character)
    first = [_replace({"Regex": _any_of(codes)}, by) for by, codes in sorted(otherwise.items())]
    kept = {one: mark for one, mark in _KEPT.items() if ord(one) not in pieces.replaced}
    return [
        *first,
        *(_replace({"String": one}, mark) for one, mark in kept.items()),
        {"type": "NFKC"},
        *(_replace({"String": mark}, one) for one, mark in kept.items()),
    ]


def _any_of(codes: list[int]) -> str:
    return "[" + "".join(f"\\x{{{code:x}}}" for code in sorted(codes)) + "]"


def _replace(pattern: dict[str, str], by: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": by}
