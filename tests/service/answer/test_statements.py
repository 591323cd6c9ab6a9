"""A question for a default or a price is told from others, and so is a sentence that tells one."""

import pytest

from service.answer.statements import (
    asks_for_default,
    asks_for_definition,
    asks_for_price,
    points_elsewhere,
    tells_default,
    tells_price,
)


@pytest.mark.parametrize(
    "question",
    [
        "What is the default of work_mem?",
        "Which level does it use if I give none?",
        "What is used if no port is set?",
        "If I don't specify a user, which one is it?",
        "Which port does it use unless told otherwise?",
        "Welcher Port gilt, wenn nichts angegeben ist?",
        "Was ist der Standardport?",
        "¿Qué puerto se usa por defecto?",
        "¿Qué puerto se usa si no se indica ninguno?",
        "Quel est le port par défaut ?",
    ],
)
def test_a_question_for_a_default(question: str) -> None:
    assert asks_for_default(question)


@pytest.mark.parametrize(
    "question",
    [
        "What do I do if the light does not come on?",
        "What happens if I lose it?",
        "What happens when the name is not found?",
        "How do I set a password?",
        "¿Qué hago si no funciona?",
    ],
)
def test_any_other_question_asks_for_no_default(question: str) -> None:
    assert not asks_for_default(question)


@pytest.mark.parametrize(
    ("sentence", "tells"),
    [
        ("It defaults to 64 megabytes (64MB).", True),
        ("The default value is four megabytes (4MB).", True),
        ("The default compression level is -6.", True),
        ("By default, the server listens on port 80.", True),
        ("Port to listen on (default: 80)", True),
        ("Der Standardwert ist 5.", True),
        ("Vorgabe: 5", True),
        ("El valor por defecto es 5.", True),
        ("Be careful not to set the default value too high.", False),
        ("The defaults are specified elsewhere.", False),
        ("Set it to 64 megabytes.", False),
    ],
)
def test_a_sentence_that_tells_a_default(sentence: str, tells: bool) -> None:
    assert tells_default(sentence) is tells


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("How much does express delivery cost?", True),
        ("What does the repair cost?", True),
        ("What is the price of the Hub?", True),
        ("Was kostet der Expressversand?", True),
        ("What is the salary of the project leader?", True),
        ("Wie hoch ist die Gebühr?", True),
        ("¿Cuánto cuesta al año?", True),
        ("Combien coûte un retour ?", True),
        ("What is the cost of a sequential scan?", False),
        ("How much memory does it need?", False),
        ("Wie viel wiegt der Hub?", False),
    ],
)
def test_a_question_for_a_price(question: str, asks: bool) -> None:
    assert asks_for_price(question) is asks


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("It costs €9.90.", True),
        ("Express delivery is 12 EUR.", True),
        ("Returns are free.", True),
        ("Der Versand ist kostenlos.", True),
        ("Cuesta veinte euros al mes.", True),
        ("The project began in 2014 and aims at five years of support.", False),
    ],
)
def test_a_text_that_tells_a_price(text: str, tells: bool) -> None:
    assert tells_price(text) is tells


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("What is a tablespace?", True),
        ("what does --verbose do?", True),
        ("Was ist ein virtuelles Paket?", True),
        ("¿Qué es un paquete virtual?", True),
        ("Qu'est-ce que le Hub ?", True),
        ("How long is the warranty?", False),
        ("Which port is it?", False),
    ],
)
def test_a_question_for_what_something_is(question: str, asks: bool) -> None:
    assert asks_for_definition(question) is asks


@pytest.mark.parametrize(
    ("sentence", "points"),
    [
        ("For more information, see Section 23.6.", True),
        ("(See also the chapter on backups.)", True),
        ("Siehe Abschnitt 4.", True),
        ("Véase la sección 5.", True),
        ("Guests see the cameras that you share.", False),
        ("A tablespace is a location on the file system; for more information, see Section 23.6.", False),
    ],
)
def test_a_sentence_that_only_points_elsewhere(sentence: str, points: bool) -> None:
    assert points_elsewhere(sentence) is points
