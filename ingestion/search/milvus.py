"""Candidates from a Milvus server, for collections beyond one machine's memory (extra `milvus`).

Milvus holds the passages of every segment and proposes by vector and by its own BM25, within the caller's
view. Scores are computed from the segments on disk, so they are the same on every backend, and nothing that a
caller may not see changes them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ingestion.errors import ReleaseError
from ingestion.filter import Compare, Every, Filter, Not, Some
from ingestion.index import OTHER
from ingestion.index.lexical import Floats, key_of, terms
from ingestion.index.segment import Segment, Vectors
from ingestion.releases.candidates import K1, B, Positions, Words
from ingestion.releases.release import Release
from ingestion.view import View

_BATCH = 500
_MAX_WORDS_CHARS = 60_000
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class MilvusIndex:
    """One Milvus collection a collection. Segments never change, so a release is a list of them."""

    def __init__(self, uri: str, collection: str) -> None:
        try:
            from pymilvus import MilvusClient
        except ImportError as exc:
            raise ReleaseError(
                "An index in Milvus needs pymilvus: pip install pymilvus milvus-lite (or the extra `milvus`)."
            ) from exc
        self._name = f"touchstone_{''.join(c if c.isalnum() else '_' for c in collection)}"
        try:
            self._client: Any = MilvusClient(uri)
        except Exception as exc:  # the client raises whatever its transport does
            raise ReleaseError(f"Milvus at {uri!r} can't be reached: {exc}.") from exc

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def put(self, release: Release) -> None:
        """Insert every segment of a release that the server does not hold yet."""
        self._prepare(release.manifest.dimension)
        for segment in release.segments:
            if self._count(segment.id) != len(segment.rows):
                self._client.delete(self._name, filter=f'segment == "{segment.id}"')
                for batch in _batches(segment, release.manifest.languages):
                    self._client.insert(self._name, batch)

    def keep(self, segments: Sequence[str]) -> None:
        """Delete every segment but these from the server."""
        if self._client.has_collection(self._name):
            self._client.delete(self._name, filter=f"segment not in {json.dumps(list(segments))}")

    def _count(self, segment: str) -> int:
        found = self._client.query(
            self._name,
            filter=f'segment == "{segment}"',
            output_fields=["count(*)"],
            consistency_level="Strong",
        )
        return int(found[0]["count(*)"])

    def _prepare(self, dimension: int) -> None:
        if self._client.has_collection(self._name):
            return
        from pymilvus import DataType, Function, FunctionType

        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", DataType.VARCHAR, max_length=64, is_primary=True)
        schema.add_field("segment", DataType.VARCHAR, max_length=32)
        schema.add_field("position", DataType.INT64)
        schema.add_field("row", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        schema.add_field(
            "words",
            DataType.VARCHAR,
            max_length=65_535,
            enable_analyzer=True,
            analyzer_params={"tokenizer": "standard"},
        )
        schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_field("superseded", DataType.BOOL)
        schema.add_field("public", DataType.BOOL)
        schema.add_field("groups", DataType.JSON)
        schema.add_field("facts", DataType.JSON)
        schema.add_function(
            Function(
                name="bm25",
                input_field_names=["words"],
                output_field_names=["sparse"],
                function_type=FunctionType.BM25,
            )
        )
        indexes = self._client.prepare_index_params()
        indexes.add_index("vector", index_type="AUTOINDEX", metric_type="COSINE")
        indexes.add_index(
            "sparse",
            index_type="SPARSE_INVERTED_INDEX",
            metric_type="BM25",
            params={"bm25_k1": K1, "bm25_b": B},
        )
        self._client.create_collection(
            self._name, schema=schema, index_params=indexes, consistency_level="Strong"
        )

    def searcher(self, release: Release) -> "MilvusSearcher":
        """A searcher over a release that was put."""
        return MilvusSearcher(self._client, self._name, release)


class MilvusSearcher:
    """Proposes positions of one release."""

    def __init__(self, client: Any, name: str, release: Release) -> None:
        self._client = client
        self._name = name
        offsets = release.index.offsets.tolist()
        self._offsets = dict(zip((segment.id for segment in release.segments), offsets, strict=False))
        self._scope = f"segment in {json.dumps(list(self._offsets))}"
        if len(release.dead):
            self._scope += f" and row not in {release.dead.tolist()}"

    def search_dense(self, vector: Vectors, limit: int, view: View) -> tuple[Positions, Floats]:
        """Positions and cosines of the nearest to a vector of shape `(dimension,)`, best first."""
        found = self._search("vector", vector.tolist(), limit, view)
        scores = np.array([hit["distance"] for hit in found], np.float32)
        return self._positions(found), scores

    def search_lexical(self, words: Words, limit: int) -> Positions:
        """Positions with the best scores for some words, best first."""
        if not len(words.keys):
            return np.empty(0, np.int64)
        text = " ".join(f"k{key:016x}" for key in words.keys.tolist())
        found = self._search("sparse", text, limit, words.view)
        # Milvus also returns passages that hold none of the words.
        positions = self._positions(found)
        held: Positions = positions[words.at(positions) > 0]
        return held

    def _search(self, field: str, query: object, limit: int, view: View) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.search(
            self._name,
            [query],
            anns_field=field,
            limit=limit,
            filter=f"{self._scope}{expression_of(view)}",
            output_fields=["segment", "position"],
            consistency_level="Strong",
        )[0]
        return found

    def _positions(self, found: Sequence[dict[str, Any]]) -> Positions:
        hits = (hit["entity"] for hit in found)
        return np.array([self._offsets[hit["segment"]] + hit["position"] for hit in hits], np.int64)


def expression_of(view: View) -> str:
    """A view as the end of an expression in Milvus' language."""
    parts = []
    if view.groups is not None:
        parts.append(f"(public == true or json_contains_any(groups, {_json(sorted(view.groups) or [''])}))")
    if not view.include_superseded:
        parts.append("superseded == false")
    if view.filter is not None:
        parts.append(f"({_expression(view.filter)})")
    return "".join(f" and {part}" for part in parts)


def _expression(node: Filter) -> str:
    match node:
        case Compare():
            return _comparison(node)
        case Not(part):
            return f"not ({_expression(part)})"
        case Every(parts):
            return " and ".join(f"({_expression(part)})" for part in parts) or "segment != ''"
        case Some(parts):
            return " or ".join(f"({_expression(part)})" for part in parts)


def _comparison(node: Compare) -> str:
    """A condition that is false (not null) for documents without the field, so that `not` finds them."""
    field = f"facts[{_json(node.field)}]"
    if node.op in ("eq", "in", "ne", "nin"):
        options = node.value if isinstance(node.value, tuple) else (node.value,)
        same = " or ".join(f"{field} == {_json(option)}" for option in options)
        held = f"(exists {field} and ({same}))"
        return held if node.op in ("eq", "in") else f"not {held}"
    if node.op == "contains":
        # `like` heeds case, so texts are there in small letters too; a percent sign can't be escaped.
        text = str(node.value).casefold().replace("%", "_")
        folded = f"facts[{_json(_folded(node.field))}]"
        return f"(exists {folded} and {folded} like {_json(f'%{text}%')})"
    return f"(exists {field} and {field} {_SIGNS[node.op]} {_json(node.value)})"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _folded(field: str) -> str:
    return f"{field}~"


def _batches(segment: Segment, languages: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    facts = {row: (groups, known) for row, groups, known in segment.texts.facts()}
    groups: list[str] = []
    known: dict[str, object] = {}
    for position, row in enumerate(segment.rows.tolist()):
        groups, known = facts.get(row, (groups, known))
        chunk = segment.texts.read(row)
        language = chunk.language if chunk.language in languages else OTHER
        words = " ".join(f"k{key_of(term, language):016x}" for term in terms(chunk.embedded_text, language))
        folded = {_folded(k): v.casefold() for k, v in known.items() if isinstance(v, str)}
        batch.append(
            {
                "id": f"{segment.id}:{position}",
                "segment": segment.id,
                "position": position,
                "row": row,
                "vector": segment.dense.take(np.array([position]))[0].tolist(),
                "words": words[:_MAX_WORDS_CHARS],
                "superseded": chunk.superseded,
                "public": not groups,
                "groups": groups,
                "facts": {**{k: v for k, v in known.items() if v is not None}, **folded},
            }
        )
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
