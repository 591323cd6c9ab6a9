"""A release is measured before it is served, and one that isn't fit is not activated."""

import json
from pathlib import Path

import pytest

from ingestion.__main__ import main
from ingestion.config import CollectionConfig, read_pins
from ingestion.embed import Embedder, Vectors, load_embedder
from ingestion.embed.fake import HashEmbedder
from ingestion.errors import ReleaseError, ScopeError
from ingestion.releases.release import (
    activate,
    active_id,
    collection_folder,
    open_active,
    problems_of,
    releases,
    roll_back,
    state_of,
    verify,
)
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from tests.ingestion.embed.texts import text_of

CLEARANCE = {"supplier": "tests", "licence": "internal", "legal_basis": "no_personal_data"}


class Contradiction(HashEmbedder):
    """Makes other vectors of a text the second time."""

    def __init__(self) -> None:
        super().__init__(seed=2)
        self._calls = 0

    def embed(self, texts: list[str]) -> Vectors:
        self._calls += 1
        vectors = super().embed(texts)
        return -vectors if self._calls > 1 else vectors


@pytest.fixture
def embedder() -> Embedder:
    return HashEmbedder()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in (("lamps", "Lamps are repaired free of charge."), ("doors", "Doors are never locked.")):
        (folder / f"{name}.md").write_text(f"# {name}\n\n{text}\n")
    return folder


def golden(docs: Path, *cases: tuple[str, str]) -> CollectionConfig:
    lines = [json.dumps({"question": question, "documents": [name]}) for question, name in cases]
    (docs.parent / "golden.jsonl").write_text("\n".join(lines))
    return CollectionConfig.model_validate(
        {"languages": ["en"], "clearance": CLEARANCE, "index": {"golden": "golden.jsonl"}}
    )


def ingest(docs: Path, config: CollectionConfig, embedder) -> str:  # type: ignore[no-untyped-def]
    collection = Collection("c", config, embedder, docs.parent / "data", docs.parent)
    return run(collection, [docs]).release_id


def test_golden_questions_keep_a_bad_release_from_being_served(docs: Path, embedder: Embedder) -> None:
    folder = collection_folder(docs.parent / "data", "c")
    config = golden(docs, ("Are lamps repaired?", "lamps.md"), ("Are doors locked?", "doors.md"))
    first = ingest(docs, config, embedder)
    (docs / "doors.md").unlink()
    with pytest.raises(ReleaseError, match="50% of the golden questions.*Are doors locked"):
        ingest(docs, config, embedder)
    assert active_id(folder) == first
    refused = next(m.id for m in releases(folder) if m.id != first)
    assert state_of(folder, next(m for m in releases(folder) if m.id == refused), first) == "refused"
    with pytest.raises(ReleaseError, match="failed its validation"):
        activate(folder, refused)
    assert activate(folder, refused, force=True).id == refused
    assert verify(folder / "releases" / refused) == []
    assert roll_back(folder).id == first


def test_what_golden_questions_look_like_is_said_when_they_are_wrong(docs: Path, embedder: Embedder) -> None:
    config = golden(docs)
    with pytest.raises(ScopeError, match="holds no question"):
        ingest(docs, config, embedder)
    (docs.parent / "golden.jsonl").write_text('\n{"question": "x"}')
    with pytest.raises(ScopeError, match="Line 2"):
        ingest(docs, config, embedder)
    (docs.parent / "golden.jsonl").unlink()
    with pytest.raises(ScopeError, match="cannot be read"):
        ingest(docs, config, embedder)


def test_a_model_that_contradicts_itself_is_not_served(docs: Path, embedder: Embedder) -> None:
    config = CollectionConfig.model_validate({"languages": ["en"], "clearance": CLEARANCE})
    first = ingest(docs, config, embedder)
    with pytest.raises(ReleaseError, match="not the embedder's"):
        ingest(docs, config, Contradiction())
    assert active_id(collection_folder(docs.parent / "data", "c")) == first


@pytest.mark.parametrize("longest", [0, 40])
@pytest.mark.parametrize("tokens", [17, 24, 31])
def test_a_few_short_documents_are_a_collection(docs: Path, tokens: int, longest: int) -> None:
    """Validation embeds one by one, in 32 tokens, what was embedded together, in 32 or in 48.

    In bf16 on AMX the vectors were not the same, and the release was refused.
    """
    builtin = load_embedder("builtin", threads=1)
    for number, name in enumerate(("lamps", "doors", "boxes")):
        title = f"About {name}"
        text = text_of(tokens + number % 2 - len(title.split()))
        (docs / f"{name}.md").write_text(f"# {title}\n\n{text}\n")
    if longest:
        (docs / "longest.md").write_text(f"# Longest\n\n{text_of(longest)}\n")
    config = CollectionConfig.model_validate(
        {"languages": ["en"], "clearance": CLEARANCE, "deduplicate": False}
    )
    release_id = ingest(docs, config, builtin)
    folder = collection_folder(docs.parent / "data", "c")
    assert active_id(folder) == release_id
    texts = [chunk.embedded_text for chunk in open_active(folder).documents.all_chunks()]
    assert sum(17 <= count + 2 <= 32 for count in builtin.count_tokens(texts)) == 3


def test_the_embedder_can_change_while_the_old_release_serves(docs: Path, embedder: Embedder) -> None:
    from service.corpus.embedders import Embedders
    from service.corpus.live import LiveReleases

    config = CollectionConfig.model_validate({"languages": ["en"], "clearance": CLEARANCE})
    first = ingest(docs, config, embedder)
    other = HashEmbedder(seed=1)
    # The scope already names the other model; the release that serves needs the old one.
    models = Embedders({"new": other}, lambda name: embedder)
    live = LiveReleases(docs.parent / "data", {"c": config}, models)
    live.refresh()
    assert live.current("c").manifest.id == first
    assert models.of(live.current("c")) is embedder
    second = ingest(docs, config, other)
    assert live.current("c").manifest.id == second
    assert models.of(live.current("c")) is other
    pinned = live.current("c", first)
    assert (pinned.manifest.id, models.of(pinned)) == (first, embedder)
    assert problems_of(pinned.folder) == []


def test_releases_that_variants_name_outlive_their_time(docs: Path, embedder: Embedder) -> None:
    from ingestion.releases.prune import prune

    config = CollectionConfig.model_validate({"languages": ["en"], "clearance": CLEARANCE})
    names = []
    for number in range(4):
        (docs / "lamps.md").write_text(f"# Lamps\n\nLamp number {number}.\n")
        names.append(ingest(docs, config, embedder))
    scope = docs.parent / "scope.yaml"
    scope.write_text(f"collections: {{c: {{}}}}\nvariants:\n  old: {{release: {names[0]}}}\n  new: {{}}\n")
    folder = collection_folder(docs.parent / "data", "c")
    prune(folder, keep=1, grace_s=0.0, pinned=read_pins(scope))
    left = {m.id for m in releases(folder)}
    assert names[0] in left
    assert names[1] not in left
    release = open_active(folder)
    assert release.manifest.id == names[-1]


def test_verify_names_what_changed_on_the_disk(docs: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    config = CollectionConfig.model_validate({"languages": ["en"], "clearance": CLEARANCE})
    ingest(docs, config, load_embedder("builtin", threads=1))
    scope = docs.parent / "scope.yaml"
    scope.write_text("collections: {c: {sources: [docs], languages: [en]}}\n")
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(docs.parent / "data"))
    monkeypatch.setenv("TOUCHSTONE_SCOPE_FILE", str(scope))
    assert main(["verify"]) == 0
    segment = next((collection_folder(docs.parent / "data", "c") / "segments").iterdir())
    for name in ("tokens.npy", "counts.npy", "dense.faiss"):
        data = (segment / name).read_bytes()
        (segment / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert main(["verify"]) == 1
        assert name in capsys.readouterr().out
        (segment / name).write_bytes(data)
    assert main(["releases", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (rows[0]["state"], rows[0]["kind"]) == ("active", "exact")
