"""What an upload says: the id of a document, the format of a file, its facts. Nothing is read or stored here."""

import json
import re
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from ingestion.audience import SEPARATOR
from ingestion.corpus import Fact, SourceFacts
from ingestion.load import PACKED, READERS, format_of
from ingestion.load.encodings import codec_of, in_utf8
from service.corpus.documents import UploadedFile
from service.errors import InvalidRequestError
from service.schemas import DocumentText

_TYPES = {
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/x-rst": ".rst",
    "text/troff": ".man",
    "application/pdf": ".pdf",
    "application/x-ndjson": ".jsonl",
    "message/rfc822": ".eml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
# Formats in which a charset of the content type says how the bytes are to be read.
_OF_TEXT = frozenset(
    {".md", ".markdown", ".html", ".htm", ".txt", ".text", ".log", ".rst", ".csv", ".tsv", ".json", ".jsonl"}
)
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]{1,40})', re.IGNORECASE)
_SAYS_UTF8 = ("utf-8", "utf8", "us-ascii", "ascii")
_ID = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff{SEPARATOR}]{{1,300}}")
_NOTHING_NAMED = SourceFacts(named=())
_MOST_TEXTS = 100
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def checked_id(document_id: str) -> str:
    if not _ID.fullmatch(document_id):
        raise InvalidRequestError(
            f"The id {document_id[:80]!r} can't be used: give it 1 to 300 characters that can be printed, without"
            f" {SEPARATOR!r}.",
            param="document_id",
        )
    return document_id


def uploaded_file(document_id: str, body: bytes, content_type: str, filename: str | None) -> UploadedFile:
    if content_type.split(";")[0].strip().lower() != "application/json" or filename:
        return file_of(document_id, filename or document_id, body, content_type, _NOTHING_NAMED)
    try:
        given = DocumentText.model_validate_json(body)
    except ValidationError as exc:
        found = [{**item, "loc": ("body", *item["loc"])} for item in exc.errors(include_url=False)]
        raise RequestValidationError(found) from exc
    facts = SourceFacts(
        title=given.title or "",
        language=given.language or "",
        updated=given.updated or "",
        url=given.url or "",
        groups=None if given.groups is None else tuple(given.groups),
        metadata=_without_groups(given.metadata),
        named=tuple(sorted(given.model_fields_set - {"text", "format"})),
    )
    return UploadedFile(document_id, f".{given.format}", given.text.encode(), facts)


def file_of(
    document_id: str, filename: str, body: bytes, content_type: str, facts: SourceFacts
) -> UploadedFile:
    """A file with its format, by its name or else by its type. Raises `InvalidRequestError` when nothing reads it."""
    suffix = suffix_of(filename, content_type)
    data = in_utf8(body, _charset(content_type)) if suffix in _OF_TEXT else body
    return UploadedFile(document_id, suffix, data, facts)


def _charset(content_type: str) -> str | None:
    """The charset that a type names. Raises `InvalidRequestError` for one that nobody knows."""
    found = _CHARSET.search(content_type)
    if found and codec_of(found[1]) is None and found[1].lower() not in _SAYS_UTF8:
        raise InvalidRequestError(
            f"The charset {found[1]!r} is not known. Send the text in UTF-8, or name a charset such as iso-8859-1.",
            param="content-type",
        )
    return found[1] if found else None


def suffix_of(filename: str, content_type: str) -> str:
    """The suffix by which a file is read. Raises `InvalidRequestError` when nothing reads it.

    A name says it, unless it ends as an id may by chance (`release-2.5`, `news`): then the type counts for more.
    """
    by_name = format_of(filename)
    by_type = _TYPES.get(content_type.split(";")[0].strip().lower())
    name = filename.lower().removesuffix(PACKED)
    is_chance = by_name is not None and (by_name[1:].isdigit() or not name.endswith(by_name))
    suffix = by_type if by_name is None or (is_chance and by_type not in (None, ".txt")) else by_name
    if suffix is None:
        raise InvalidRequestError(
            f"The type {content_type!r} of {filename!r} can't be read. Send one of {sorted(_TYPES)} or JSON,"
            f" or name the file with one of {sorted((*READERS, PACKED))}.",
            param="content-type",
        )
    return f"{suffix}{PACKED}" if suffix == by_name and len(name) < len(filename) else suffix


def _without_groups(metadata: Mapping[str, Fact]) -> Mapping[str, Fact]:
    """Free metadata, which can't say who may see a document. Raises `InvalidRequestError`."""
    if "groups" in metadata:
        raise InvalidRequestError(
            "The metadata key 'groups' can't be used. Say who may see the document in the field `groups` of a JSON"
            " body, or in `groups` of the scope file.",
            param="metadata",
        )
    return metadata


def facts_of(metadata: str | None) -> SourceFacts:
    """What a form says of all its files. Raises `InvalidRequestError`."""
    raw = json_object(metadata, "metadata") if metadata else {}
    wrong = next((key for key, value in raw.items() if not (_FIELD.fullmatch(key) and _is_fact(value))), None)
    if wrong is not None:
        raise InvalidRequestError(
            f"The metadata has a field {wrong[:80]!r} that can't be used: fields and values are such as"
            ' {"product": "hub", "tags": ["new", "loan"]}.',
            param="metadata",
        )
    return SourceFacts.of(_without_groups(raw))


def _is_fact(value: object) -> bool:
    is_list = (
        isinstance(value, list) and len(value) <= _MOST_TEXTS and all(isinstance(one, str) for one in value)
    )
    return is_list or isinstance(value, (str, int, float))


def json_object(text: str, param: str = "filter") -> dict[str, Any]:
    """A JSON object. Raises `InvalidRequestError`."""
    try:
        raw = json.loads(text)
        json.dumps(raw, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise InvalidRequestError(
            f"The {param} holds half a character (a lone surrogate).", param=param
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError(f"The {param} is no JSON that can be read: {exc}.", param=param) from exc
    if not isinstance(raw, dict):
        raise InvalidRequestError(
            f'The {param} must be an object such as {{"place": "upload:crm"}}.', param=param
        )
    return raw
