"""What a source repeats around its documents is in no chunk; what its documents say is, repeated or not."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ingestion.config import CollectionConfig
from ingestion.corpus import Block, BlockKind
from ingestion.embed.fake import HashEmbedder
from ingestion.prepare.boilerplate import marked, outline, repeated
from ingestion.releases.release import open_active
from ingestion.runs.collection import Collection
from ingestion.runs.pipeline import run
from ingestion.runs.workers import LocalWorkers

CLEARANCE = {"supplier": "tests", "licence": "internal", "legal_basis": "no_personal_data"}
CONFIG = CollectionConfig.model_validate({"languages": ["en"], "clearance": CLEARANCE})
MENU = "Start\n\nShop\n\nHelp and contact\n\n"
FOOTER = "\n\nBack to top\n\n© 2026 Larkmoor Ltd. All rights reserved."
WARRANTY = "The warranty lasts two years"


def page(number: int) -> tuple[Block, ...]:
    kinds: list[tuple[BlockKind, str]] = [
        ("item", "Start"),
        ("item", "Shop"),
        ("paragraph", "Free delivery from 50 euros"),
        ("heading", f"Fan {number}"),
        ("paragraph", f"Fan {number} turns {number} times a minute."),
        ("item", "Dishwasher safe"),
        ("paragraph", "The warranty lasts two years."),
        ("row", "Voltage: 230 V"),
        ("paragraph", "Was this page helpful?"),
        ("paragraph", "Terms | Imprint | Privacy"),
        ("paragraph", "© 2026 Larkmoor Ltd."),
    ]
    return tuple(Block(kind, text) for kind, text in kinds)


def keys_of(*pages: tuple[Block, ...]) -> frozenset[str]:
    return repeated([outline(one) for one in pages])


def test_menus_and_notices_are_marked_and_facts_are_not() -> None:
    keys = keys_of(*(page(number) for number in range(40)))
    found = [block.text for block in marked(page(7), keys) if block.kind == "boilerplate"]
    assert found == [
        "Start",
        "Shop",
        "Was this page helpful?",
        "Terms | Imprint | Privacy",
        "© 2026 Larkmoor Ltd.",
    ]


def test_what_stands_amid_the_text_of_a_page_stays() -> None:
    keys = keys_of(*(page(number) for number in range(40)))
    inside = (Block("paragraph", "Shops are called"), Block("paragraph", "Shop"), Block("paragraph", "here."))
    assert marked(inside, keys) == inside


def test_few_documents_show_nothing() -> None:
    assert keys_of(*(page(number) for number in range(19))) == frozenset()
    others = [(Block("paragraph", f"Text {number}."),) for number in range(40)]
    assert repeated([outline(one) for one in (*others, page(1), page(2))]) == frozenset()


def test_a_document_that_would_be_empty_stays_as_it_is() -> None:
    keys = keys_of(*(page(number) for number in range(40)))
    alone = (
        Block("item", "Start"),
        Block("heading", "A new page"),
        Block("paragraph", "Was this page helpful?"),
    )
    assert marked(alone, keys) == alone
    assert marked(alone[:1], keys) == alone[:1]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    for number in range(24):
        text = f"# Fan {number}\n\nFan {number} has {number + 3} blades.\n\n{WARRANTY}.{FOOTER}\n"
        (folder / f"fan-{number}.md").write_text(MENU + text)
    return folder


def chunks_of(collection: Collection) -> Mapping[str, str]:
    release = open_active(collection.folder)
    entries = [release.documents.entry(i) for i in release.documents.ids()]
    return {e.document.id: "\n".join(c.text for c in e.chunks) for e in entries if e is not None}


@pytest.mark.parametrize("is_apart", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_source_is_read_without_what_it_repeats(site: Path, tmp_path: Path, is_apart: bool) -> None:
    collection = Collection("site", CONFIG, HashEmbedder(), tmp_path / "data")
    workers = LocalWorkers(2) if is_apart else None
    report = run(collection, [site], workers=workers)
    texts = chunks_of(collection)
    assert len(texts) == report.documents == 24
    assert all(WARRANTY in text and "blades" in text for text in texts.values())
    assert not any(word in text for text in texts.values() for word in ("Shop", "Back to top", "©"))
    whole = open_active(collection.folder).documents.document("fan-3.md")
    assert whole is not None
    assert "Back to top" in whole.text

    # A page that comes later goes without it too, though it waits alone.
    (site / "fan-99.md").write_text(f"{MENU}# Fan 99\n\nFan 99 is quiet.{FOOTER}\n")
    run(collection, [site], workers=workers)
    assert chunks_of(collection)["fan-99.md"] == "Fan 99 is quiet."
    if workers:
        workers.close()
