"""What an upload says: the id of a document, the format of a file, its facts. Nothing is read or stored here."""

import json
import re
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from ingestion.audience import SEPARATOR
from ingestion.corpus import Scalar, SourceFacts
from ingestion.load import READERS
from service.corpus.documents import UploadedFile
from service.errors import InvalidRequestError
from service.schemas import DocumentText

_TYPES = {
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/x-ndjson": ".jsonl",
    "message/rfc822": ".eml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
_ID = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff{SEPARATOR}]{{1,300}}")
_NOTHING_NAMED = SourceFacts(named=())
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
        return UploadedFile(
            document_id, suffix_of(filename or document_id, content_type), body, _NOTHING_NAMED
        )
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


def suffix_of(filename: str, content_type: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", filename)
    if found and found[0].lower() in READERS:
        return found[0].lower()
    suffix = _TYPES.get(content_type.split(";")[0].strip().lower())
    if suffix is None:
        raise InvalidRequestError(
            f"The type {content_type!r} of {filename!r} can't be read. Send one of {sorted(_TYPES)} or JSON,"
            f" or name the file with one of {sorted(READERS)}.",
            param="content-type",
        )
    return suffix


def _without_groups(metadata: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
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
    if not all(_FIELD.fullmatch(key) and isinstance(value, (str, int, float)) for key, value in raw.items()):
        raise InvalidRequestError(
            'The metadata must be fields and values such as {"product": "hub"}.', param="metadata"
        )
    return SourceFacts.of(_without_groups(raw))


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
