"""Artefacts: written whole or not at all, opened only when every file is as its manifest says."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestion.artifact import open_artifact, written_artifact
from ingestion.embed.multilingual.build import WEIGHTS_DIGEST
from ingestion.embed.multilingual.embedder import weights_digest
from ingestion.errors import EmbedderError
from tests.conftest import ROOT

REBUILD = "python -m maker --data FOLDER"


def write(folder: Path, **texts: str) -> Path:
    with written_artifact(
        folder, tuple(texts), name="thing", licence="Apache-2.0", rebuild=REBUILD, embedder="w1",
        facts={"source": {"model": "m"}, "size": 3},
    ) as fresh:  # fmt: skip
        for name, text in texts.items():
            (fresh / name).write_text(text)
    return folder


def test_what_is_written_is_opened(tmp_path: Path) -> None:
    found = open_artifact(write(tmp_path / "a", one="1", two="2"), rebuild="")
    assert (found.name, found.licence, found.rebuild, found.embedder) == (
        "thing",
        "Apache-2.0",
        REBUILD,
        "w1",
    )
    assert list(found.files) == ["one", "two"]
    assert found.facts == {"source": {"model": "m"}, "size": 3}
    assert found.describe()["source"] == {"model": "m"}
    assert found.describe()["digest"] == found.digest
    found.check_embedder("w1")
    with pytest.raises(EmbedderError, match=r"a'.*'w1'.*'w2'.*python -m maker"):
        found.check_embedder("w2")


def drop_file(folder: Path) -> None:
    (folder / "one").unlink()


def change_file(folder: Path) -> None:
    (folder / "one").write_text("changed")


def add_file(folder: Path) -> None:
    (folder / "stray").write_text("")


def cut_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"name": ')


def drop_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def edit(**changes: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (drop_file, "one' is missing"),
        (change_file, "one' differs"),
        (add_file, "stray' is not named"),
        (cut_manifest, "manifest.json' cannot be read"),
        (drop_manifest, "manifest.json' cannot be read"),
        (edit(digest="0" * 64), "manifest.json' is not that of its files"),
        (edit(files={"../one": "0"}), "manifest.json' lacks"),
        (edit(files=["one"]), "manifest.json' lacks"),
        (edit(licence=None), "manifest.json' lacks"),
        (edit(embedder=7), "manifest.json' lacks"),
    ],
)
def test_a_damaged_artefact_is_refused_with_the_file_and_the_command(
    tmp_path: Path, damage: Callable[[Path], None], named: str
) -> None:
    folder = write(tmp_path / "a", one="1", two="2")
    damage(folder)
    with pytest.raises(EmbedderError) as caught:
        open_artifact(folder, rebuild=REBUILD)
    assert named in str(caught.value)
    assert REBUILD in str(caught.value)


def test_a_card_may_be_reworded_and_survives_a_rebuild(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", one="1")
    (folder / "CARD.md").write_text("A thing.")
    before = open_artifact(folder, rebuild="")
    (folder / "CARD.md").write_text("The thing.")
    write(folder, one="1")
    assert (folder / "CARD.md").read_text() == "The thing."
    assert open_artifact(folder, rebuild="").digest == before.digest


def write_some(folder: Path, announced: tuple[str, ...], written: tuple[str, ...]) -> None:
    with written_artifact(folder, announced, name="thing", licence="", rebuild=REBUILD) as fresh:
        for name in written:
            (fresh / name).write_text("half")


def write_and_fail(folder: Path) -> None:
    with written_artifact(folder, ("one",), name="thing", licence="", rebuild=REBUILD) as fresh:
        (fresh / "one").write_text("half")
        raise RuntimeError("training failed")


def test_an_error_while_writing_leaves_the_artefact_as_it_was(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", one="1")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RuntimeError, match="training failed"):
        write_and_fail(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_that_was_announced_and_not_written_makes_no_artefact(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="two"):
        write_some(tmp_path / "a", ("one", "two"), ("one",))
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_written_and_not_announced_makes_no_artefact(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="two"):
        write_some(tmp_path / "a", ("one",), ("one", "two"))
    assert not list(tmp_path.iterdir())


def artefacts() -> Iterator[Path]:
    for package in ("ingestion", "service"):
        yield from (path.parent for path in sorted((ROOT / package).rglob("manifest.json")))


@pytest.mark.parametrize("folder", list(artefacts()), ids=lambda folder: folder.name)
def test_every_artefact_of_the_repository_is_whole(folder: Path) -> None:
    found = open_artifact(folder, rebuild="")
    assert found.rebuild.startswith(("python -m ", "touchstone ", "make "))
    assert not list(folder.glob("card.md"))


def test_every_artefact_for_an_embedder_is_for_one_that_comes_with_the_service() -> None:
    found = {open_artifact(folder, rebuild="").embedder for folder in artefacts()}
    built_in = open_artifact(ROOT / "ingestion/embed/minilm-l6-v2-int8", rebuild="").digest
    assert built_in in found
    assert found <= {None, built_in, weights_digest(WEIGHTS_DIGEST)}
