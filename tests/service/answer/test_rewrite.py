"""A follow-up is made whole in one sentence, in four languages; a question with a subject of its own stays as it is."""

import pytest

from evals.conversation import Conversation, load_conversations
from service.answer.rewrite import Said, made_whole, may_lean
from service.answer.rewrite.languages import ENGLISH, FRENCH, GERMAN, SPANISH, grammar_of


def whole(*messages: str) -> str:
    """The last of the messages made whole; the user's and the assistant's take turns."""
    said = [Said("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(messages[:-1])]
    return made_whole(messages[-1], said).text


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        ("What is the default of work_mem?", "and of maintenance_work_mem?",
         "What is the default of maintenance_work_mem?"),
        ("What is the maximum size of a table?", "And of a single row?", "What is the maximum size of a single row?"),
        ("Which directive gives the day of the year?", "And the microseconds?", "Which directive gives the microseconds?"),
        ("What is the height of the door?", "And the width?", "What is the width of the door?"),
        ("What does express delivery to Spain cost?", "And standard delivery?", "What does standard delivery to Spain cost?"),
        ("How long is the warranty on a new lamp?", "And for used lamps?", "How long is the warranty for used lamps?"),
        ("What does a red light on the router mean?", "And a green one?", "What does a green light on the router mean?"),
        ("Can a guest see recordings?", "What about an adult?", "Can an adult see recordings?"),
        ("Was kostet die Reparatur des Hub?", "Und des Chime?", "Was kostet die Reparatur des Chime?"),
        ("Was kostet der Expressversand?", "Was ist mit dem Standardversand?", "Was kostet dem Standardversand?"),
        ("Wie lange dauert die Erstattung bei Karten?", "Und bei PayPal?", "Wie lange dauert die Erstattung bei PayPal?"),
        ("¿Cuánto cuesta el envío exprés?", "¿Y el envío estándar?", "¿Cuánto cuesta el envío estándar?"),
        ("¿Cuánto tarda el reembolso con tarjeta?", "¿Y con PayPal?", "¿Cuánto tarda el reembolso con PayPal?"),
        ("Combien coûte la livraison express ?", "Et la livraison standard ?", "Combien coûte la livraison standard ?"),
        ("Combien coûte un retour depuis la Suisse ?", "Et depuis la Norvège ?", "Combien coûte un retour depuis la Norvège ?"),
    ],
)  # fmt: skip
def test_a_fragment_takes_the_place_of_its_like(before: str, question: str, expected: str) -> None:
    assert whole(before, "So and so.", question) == expected


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        ("How do I make grep ignore case?", "And count the lines that match?", "How do I make grep count the lines that match?"),
        ("How do I change the filter in the Breeze?", "And clean the tank?", "How do I clean the tank in the Breeze?"),
        ("Can I let the Sentry record at night?", "And record the sound of the street?",
         "Can I let the Sentry record the sound of the street?"),
        ("How do I reset my password?", "and change my email?", "How do I change my email?"),
    ],
)  # fmt: skip
def test_what_somebody_does_takes_the_place_of_what_they_did(
    before: str, question: str, expected: str
) -> None:
    assert whole(before, "So and so.", question) == expected


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        ("What does Larkmoor Plus cost?", "Can I pause it?", "Can I pause Larkmoor Plus?"),
        ("How loud is the Breeze in sleep mode?", "What does its filter cost?", "What does the Breeze's filter cost?"),
        ("How do I return a lamp?", "How long does it take?", "How long does it take (return a lamp)?"),
        ("How do I return a lamp?", "Is that free?", "Is that free (return a lamp)?"),
        ("What is Larkmoor Plus?", "How do I cancel?", "How do I cancel (Larkmoor Plus)?"),
        ("Was ist der Breeze XL?", "Wie wird er geliefert?", "Wie wird der Breeze XL geliefert?"),
        ("¿Cómo devuelvo una lámpara?", "¿Hasta cuándo puedo devolverla?", "Hasta cuándo puedo devolver una lámpara?"),
        ("¿Qué es el Breeze XL?", "¿Cuánto pesa?", "Cuánto pesa (el Breeze XL)?"),
        ("Comment fonctionne Plus ?", "Comment l'annuler ?", "Comment annuler Plus ?"),
    ],
)  # fmt: skip
def test_a_pronoun_is_replaced_by_what_it_stands_for(before: str, question: str, expected: str) -> None:
    assert whole(before, "So and so.", question) == expected


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        ("Can I order the Chime in Norway?", "Why?", "Why can I order the Chime in Norway?"),
        ("How much is express delivery to Spain?", "And how long?", "how long is express delivery to Spain?"),
        ("Was kostet der Versand?", "Warum?", "Warum kostet der Versand?"),
        ("Can I switch Plus from monthly to yearly?", "And the other way round?",
         "Can I switch Plus from yearly to monthly?"),
        ("Kann ich von Basis auf Premium wechseln?", "Und umgekehrt?", "Kann ich von Premium auf Basis wechseln?"),
    ],
)  # fmt: skip
def test_the_question_before_is_asked_in_another_way(before: str, question: str, expected: str) -> None:
    assert whole(before, "So and so.", question) == expected


@pytest.mark.parametrize(
    ("reply", "question", "expected"),
    [
        ("The Murmur and the Murmur Mini.", "And the second one, what does it weigh?",
         "what does the Murmur Mini weigh?"),
        ("The Murmur and the Murmur Mini.", "How loud is the former?", "How loud is the Murmur?"),
        ("We have three: Alpha, Beta and Gamma. [1]", "What does the last one cost?", "What does Gamma cost?"),
        ("1. Alpha: the small one\n2. **Beta**: the large one [2]", "What does the second cost?", "What does Beta cost?"),
        ("- Alpha\n- Beta", "And the first one?", "And the first one?"),
    ],
)  # fmt: skip
def test_an_ordinal_names_an_item_of_the_reply(reply: str, question: str, expected: str) -> None:
    found = whole("Which speakers do you sell?", reply, question)
    if question == expected:
        assert "Alpha" in found
    else:
        assert found == expected


def test_an_ordinal_after_an_ordinal_asks_the_same_of_another_item() -> None:
    said = (
        "Which speakers do you sell?",
        "The Murmur and the Murmur Mini.",
        "What does the first one weigh?",
        "900 g.",
    )
    assert whole(*said, "And the second one?") == "What does the Murmur Mini weigh?"


def test_it_is_what_the_reply_named_where_a_thing_was_asked_for() -> None:
    said = ("Which device did I buy on 3 March?", "On 3 March you bought a Chime doorbell.")
    assert (
        whole(*said, "How long does a repair of it take?")
        == "How long does a repair of a Chime doorbell take?"
    )
    assert whole(*said, "How much is a second Hub?") == "How much is a second Hub?"


@pytest.mark.parametrize(
    "question",
    [
        "Opening hours business desk?", "Opening hours?", "Are there shops in Belgium?", "Is there a shop in Utrecht?",
        "What are your hours?", "Is delivery on Sundays possible?", "Does the Hub lose its settings after a reset?",
        "Is it possible to pay by cheque?", "How long does it take to charge the Chime?", "What do I do if I lose my card?",
        "How do I find the order that I placed?", "Gibt es einen Laden in Köln?", "Was macht das Gerät ohne Strom?",
        "Haben Sie ein Büro in Berlin?", "¿Hay una tienda en Madrid?", "¿Dónde están las tiendas?",
        "Y a-t-il un magasin à Anvers ?", "Horaires d'ouverture ?", "Est-ce que la garantie couvre la batterie ?",
    ],
)  # fmt: skip
def test_a_question_with_its_own_subject_stands_alone(question: str) -> None:
    found = made_whole(
        question, [Said("user", "How much is express delivery to Spain?"), Said("assistant", "€9.90.")]
    )
    assert (found.text, found.hints, found.named) == (question, "", "")


def test_thanks_between_two_questions_change_no_topic() -> None:
    said = ("What does Larkmoor Plus cost?", "€4.99.", "Thanks!", "You're welcome.")
    assert whole(*said, "Can I pause it?") == "Can I pause Larkmoor Plus?"


def test_what_a_fragment_replaces_is_no_longer_searched_for() -> None:
    history = [Said("user", "What does a repair of the Hub cost?"), Said("assistant", "€59.")]
    found = made_whole("And of the Chime?", history)
    assert (found.text, found.hints, found.named) == ("What does a repair of the Chime cost?", "", "Chime")
    assert made_whole("Is it free?", history).hints == "cost"


def test_masks_of_personal_data_are_neither_asked_nor_searched_for() -> None:
    history = [
        Said("user", "I am <PERSON_1>, what does the Hub of <EMAIL_ADDRESS> cost?"),
        Said("assistant", "<PERSON_1>: €9."),
    ]
    for question in ("Is it free?", "And the Chime of <PERSON_2>?", "Why?", "And the second one?"):
        found = made_whole(question, history)
        assert "<" not in f"{found.text} {found.hints} {found.named}"


def test_in_a_language_without_rules_a_short_question_brings_the_one_before() -> None:
    assert (
        whole("Hur mycket kostar frakten?", "49 kr.", "Utomlands då?")
        == "Hur mycket kostar frakten: Utomlands då?"
    )


def test_what_is_too_short_to_tell_is_shown_to_a_generator() -> None:
    assert may_lean("Battery life?")
    assert not may_lean("How many devices can one Hub manage at the same time?")


@pytest.mark.parametrize(
    ("text", "grammar"),
    [
        ("What does it cost?", ENGLISH), ("Was kostet das?", GERMAN), ("¿Cuánto cuesta?", SPANISH),
        ("Combien coûte la livraison ?", FRENCH), ("work_mem", None), ("Larkmoor Plus", None),
    ],
)  # fmt: skip
def test_the_language_is_told_by_function_words(text: str, grammar: object) -> None:
    assert grammar_of(text) is grammar


def _is_whole(one: Conversation) -> bool:
    return one.is_whole(made_whole(one.question, [Said(role, text) for role, text in one.messages[:-1]]).text)


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
def test_most_conversations_are_made_whole(language: str) -> None:
    outcomes = [_is_whole(one) for one in load_conversations() if one.language == language]
    assert len(outcomes) >= 15
    assert sum(outcomes) / len(outcomes) >= 0.95
