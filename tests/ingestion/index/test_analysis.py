"""Words of every language meet in the forms in which people write them, and English is analysed as it always was."""

from pathlib import Path

import pytest
import tantivy
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.index.analysis import terms_of_text
from ingestion.index.lexical import terms
from ingestion.view import EVERYTHING
from tests.ingestion.corpora import Page, release_of

PROSE = (
    "The Hub's warranty lasts two years; returns are free within 30 days of delivery, aren't they?",
    "Press and hold Reset_Button for 10 s – the light “blinks” twice. It's 3.5 °C warmer…",
    "See section 4.2(b): relations, generalising, organizational matters and universities' policies.",
    "x" * 59 + " " + "y" * 60 + " " + "z" * 61,
)
ascii_texts = st.text(st.characters(max_codepoint=127), max_size=300)


def english() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    builder = builder.filter(tantivy.Filter.remove_long(60)).filter(tantivy.Filter.lowercase())
    builder = builder.filter(tantivy.Filter.stopword("english")).filter(tantivy.Filter.stemmer("english"))
    return builder.filter(tantivy.Filter.ascii_fold()).build()


@pytest.mark.parametrize("text", PROSE)
def test_plain_english_has_the_terms_of_snowball(text: str) -> None:
    assert terms_of_text(text, "en") == english().analyze(text)


@settings(deadline=None)
@given(ascii_texts)
def test_any_ascii_text_has_the_terms_of_snowball(text: str) -> None:
    assert terms_of_text(text, "en") == english().analyze(text)


@pytest.mark.parametrize("language", ["en", "nl", "sv", "el", "ar", "other"])
@settings(deadline=None)
@given(text=ascii_texts)
def test_a_word_of_an_ascii_text_has_the_terms_that_it_has_in_another(language: str, text: str) -> None:
    beside = terms_of_text(f"{text} щукой", language)
    assert beside[:-1] == terms_of_text(text, language)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("es", "duración", "duracion"),
        ("es", "garantías", "garantia"),
        ("es", "canciones", "canción"),
        ("fr", "annulée", "annulee"),
        ("fr", "annulées", "annuler"),
        ("fr", "première", "premiere"),
        ("fr", "qualités", "qualite"),
        ("it", "qualità", "qualita"),
        ("it", "città", "citta"),
        ("pt", "devolução", "devolucao"),
        ("pt", "devoluções", "devolucao"),
        ("pt", "disponível", "disponivel"),
        ("pt", "garantia", "garantía"),
        ("ro", "garanție", "garantie"),
        ("ro", "garanţie", "garanții"),
        ("de", "Größe", "groesse"),
        ("de", "GRÖSSE", "Große"),
        ("de", "Häuser", "Haeuser"),
        ("de", "Häuser", "Haus"),
        ("de", "Rückgabe", "ruckgabe"),
        ("de", "Rückgabe", "Rueckgabe"),
        ("de", "neuer", "neue"),
        ("de", "Café", "cafe"),
        ("en", "café", "cafes"),
        ("en", "résumés", "resume"),
        ("sv", "återbetalningar", "aterbetalning"),
        ("hu", "jótállás", "jotallas"),
        ("fi", "palautettävä", "palautettava"),
        ("pl", "żółty", "zolta"),
        ("pl", "gwarancja", "gwarancji"),
        ("pl", "ceny", "cena"),
        ("cs", "záruky", "ZARUKA"),
        ("vi", "bảo hành", "bao hanh"),
        ("vi", "Đổi", "doi"),
        ("tr", "İade", "iade"),
        ("tr", "İADESİ", "iade"),
        ("tr", "SİPARİŞ", "sipariş"),
        ("tr", "siparişler", "siparis"),
        ("tr", "ürünleri", "ürün"),
        ("tr", "IŞIK", "ışıklar"),
        ("el", "ΕΓΓΥΗΣΗ", "εγγύησης"),
        ("el", "λόγος", "λογοσ"),
        ("ru", "ёлка", "Елка"),
        ("ru", "зелёный", "зеленая"),
        ("ru", "гара\u0301нтия", "гарантии"),
        ("uk", "об'єкт", "об’єкти"),
        ("uk", "гарантія", "гарантії"),
        ("ar", "الضَّمان", "الضمان"),
        ("ar", "كـــتاب", "كتاب"),
        ("ar", "إدارة", "ادارة"),
        ("ar", "مدرسة", "مدرسه"),
        ("ar", "١٤", "14"),
        ("fa", "کتاب\u200cها", "کتاب"),
        ("fa", "كتاب", "کتاب"),
        ("fa", "۱۴", "14"),
        ("he", "שָׁלוֹם", "שלום"),
        ("hi", "किताबें", "किताब"),
        ("hi", "किताबों", "किताब"),
        ("hi", "क़ीमत", "कीमत"),
        ("hi", "१४", "14"),
        ("ta", "வீடுகள்", "வீடு"),
        ("other", "İade", "iade"),
        ("other", "ёлка", "елка"),
    ],
)
def test_forms_of_a_word_are_one_term(language: str, one: str, other: str) -> None:
    assert set(terms(one, language)) & set(terms(other, language))


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [
        ("zh", "标准配送需要三到五个工作日。运费为六欧元。", "运费是多少"),
        ("zh", "我们也卖绿茶和咖啡。", "茶"),
        ("ja", "ノートパソコンの電源を切ってください。", "電源"),
        ("ja", "ﾊﾞｯﾃﾘｰは一年です。", "バッテリー"),
        ("ja", "緑茶もあります。", "茶"),
        ("th", "สินค้ามีการรับประกันสองปีนับจากวันส่งมอบ", "รับประกัน"),
        ("th", "ระยะเวลาสองปี", "ปี"),
        ("th", "น้ําดื่ม", "น้ำ"),
        ("ko", "배송은 육 유로입니다.", "배송"),
        ("ko", "값은 얼마입니까", "값"),
        ("lo", "ການຮັບປະກັນສອງປີ", "ຮັບປະກັນ"),
        ("km", "ការធានារយៈពេលពីរឆ្នាំ", "ធានា"),
        ("my", "အာမခံကာလနှစ်နှစ်", "အာမခံ"),
        ("zh", "iPhone15的电源线", "iphone 15"),
        ("zh", "ＡＢＣ１２号", "abc12"),
    ],
)
@pytest.mark.parametrize("declares", [True, False])
def test_words_without_blanks_are_found_in_any_language(
    language: str, text: str, word: str, declares: bool
) -> None:
    analysed_as = language if declares else "other"
    assert set(terms(word, analysed_as)) & set(terms(text, analysed_as))


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("zh", "配送", "营业时间"),
        ("hi", "हिन्दी", "हिसाब"),
        ("th", "ราคา", "เปิดทุกวัน"),
        ("de", "Größe", "Grüße"),
        ("es", "té", "él"),
        ("tr", "kart", "karşı"),
    ],
)
def test_other_words_are_other_terms(language: str, one: str, other: str) -> None:
    assert not set(terms(one, language)) & set(terms(other, language))


def test_words_keep_their_marks() -> None:
    assert len(terms("हिन्दी", "hi")) == len(terms("উদ্ধৃতি", "bn")) == len(terms("தமிழ்", "ta")) == 1


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "für über FUER Ueber"),
        ("es", "también tambien el LA"),
        ("pt", "não nao até ATE"),
        ("fr", "même meme ÉTAIENT"),
    ],
)
def test_stop_words_say_nothing_with_accents_or_without(language: str, text: str) -> None:
    assert terms_of_text(text, language) == []


def test_numbers_are_whole_where_words_are_not() -> None:
    assert terms("1234567", "tr") == ["1234567"]
    assert "12345" not in terms("1234567", "pl")


def test_a_run_of_any_length_has_as_many_terms_as_signs() -> None:
    assert len(terms_of_text("汉" * 10_000, "zh")) == 2 * 10_000 - 1
    assert len(terms_of_text("か" * 10_000, "ja")) == 10_000 - 1
    assert len(terms("a" + "\u0301" * 10_000, "en")) <= 1


@pytest.mark.parametrize(
    ("language", "query"), [("zh", "运费是多少"), ("en", "运费"), ("tr", "iade"), ("ko", "배송")]
)
def test_a_question_finds_its_passage_whatever_the_collection_declares(
    tmp_path: Path, language: str, query: str
) -> None:
    pages = [
        Page("hours", ("门店每天上午九点开门。", "Mağaza dokuzda açılır.", "매장은 아홉 시에 엽니다.")),
        Page("fees", ("运费为六欧元。 İADE ücretsizdir. 배송은 무료입니다.",)),
    ]
    pages = [Page(page.name, page.texts, language=language) for page in pages]
    index = release_of(tmp_path, pages).index
    assert index.search_lexical(index.words(query, EVERYTHING), 5).tolist()[:1] == [3]
