"""What is personal because of the word beside it: dates of birth, papers, tax numbers, passwords, user names, telephones."""

import pytest

from ingestion.config import CODE_PII, DEFAULT_PII, PiiPolicy
from ingestion.scrub import Scrubber
from ingestion.scrub.tax import is_ahv, is_cpf, is_german, is_italian, is_portuguese, is_spanish

PATTERNS = PiiPolicy.model_validate({"names": "none", "action": "mask", "actions": {}})

# Type, the words before the value, the value, the words behind it.
FOUND = [
    *(
        ("DATE_OF_BIRTH", before, value, after)
        for before, value, after in (
            ("My date of birth is ", "12/03/1981", "."),
            ("DOB: ", "03/12/81", ""),
            ("date_of_birth: ", "1981-03-12", ""),
            ("She was born on ", "March 12, 1981", " in Leeds."),
            ("He was born in Leeds, on ", "12 March 1981", "."),
            ("geboren am ", "12. März 1981", " in Bonn"),
            ("Geburtsdatum: ", "12.03.1981", ""),
            ("Sie wurde am ", "12.03.1981", " in Bonn geboren."),
            ("Anna Berg (* ", "12.03.1981", ")"),
            ("née le ", "12 mars 1981", ""),
            ("né(e) le ", "12/03/1981", ""),
            ("nacida el ", "12 de marzo de 1981", ""),
            ("nato a Roma il ", "12 marzo 1981", ""),
            ("data de nascimento: ", "12-03-1981", ""),
            ("geboortedatum ", "12-03-1981", ""),
            ("född ", "1981-03-12", ""),
            ("født den ", "12. mars 1981", ""),
            ("ur. ", "12.03.1981", " w Krakowie"),
            ("doğum tarihi: ", "12.03.1981", ""),
            ("生年月日：", "1981年3月12日", ""),
        )
    ),
    *(
        ("PASSPORT", before, value, after)
        for before, value, after in (
            ("My passport number is ", "X1234567", "."),
            ("Passport No: ", "123456789", ""),
            ("Reisepass Nr. ", "C01X00T47", ""),
            ("numéro de passeport: ", "12AB34567", ""),
            ("pasaporte ", "ABC123456", ""),
        )
    ),
    *(
        ("LICENSE_PLATE", before, value, after)
        for before, value, after in (
            ("My number plate is ", "AB12 CDE", "."),
            ("Kennzeichen: ", "B-XY 1234", ""),
            ("Das Kennzeichen lautet ", "M AB 123", "."),
            ("plaque d'immatriculation ", "AB-123-CD", ""),
            ("matrícula ", "1234 BCD", ""),
            ("kenteken ", "12-ABC-3", ""),
            ("license plate: ", "7ABC123", ""),
        )
    ),
    ("DE_TAX_ID", "Steuer-ID: ", "12 345 678 903", ""),
    ("IT_FISCAL_CODE", "Codice fiscale ", "RSS MRA 85T10 A562S", ""),
    ("ES_NIF", "DNI ", "12.345.678-Z", ""),
    ("ES_NIE", "NIE ", "X-1234567-L", ""),
    ("NL_BSN", "BSN: ", "111 222 333", ""),
    *(
        ("TAX_ID", before, value, after)
        for before, value, after in (
            ("Steuernummer ", "181/815/08155", ""),
            ("NIF ", "123 456 789", ", Lisboa"),
            ("contribuinte nº ", "123456789", ""),
            ("My UTR is ", "12345 67890", "."),
            ("EIN ", "12-3456789", ""),
            ("Meu CPF: ", "529.982.247-25", ""),
            ("AHV ", "756.9217.0769.85", ""),
            ("numéro fiscal ", "30 23 217 600 053", ""),
            ("CPR-nr. ", "120381-1234", ""),
        )
    ),
    *(
        ("PASSWORD", before, value, after)
        for before, value, after in (
            ("password is ", "hunter2", ""),
            ("My password is ", "swordfish", ", and it fails."),
            ("Passwort: ", "Winter#geheim", ""),
            ("Mein Passwort lautet ", "Gartenzwerg9", "."),
            ("mot de passe : ", "Soleil2024", ""),
            ("contraseña: ", "gato_negro9", ""),
            ('The wifi password is "', "bluemoon", '".'),
            ("user: klee\nPassword: ", "swordfish", ""),
            ("hasło: ", "kotek123", ""),
        )
    ),
    *(
        ("USERNAME", before, value, after)
        for before, value, after in (
            ("Username: ", "kim.lee92", ""),
            ("Benutzername: ", "k_lee", ""),
            ("my login is ", "klee7", "."),
            ("follow me on Twitter ", "@kim_lee", ""),
            ("My Instagram is ", "@kim.lee", ""),
        )
    ),
    *(
        ("EMAIL_ADDRESS", before, value, after)
        for before, value, after in (
            ("Write to ", "jo.bell(at)mailbox(dot)example", "."),
            ("Write to ", "jo.bell [at] mailbox.example", ""),
            ("Write to ", "jo_bell at mailbox dot example", ""),
            ("Mail: ", "max.muster (ät) firma (punkt) de", ""),
        )
    ),
    *(
        ("PHONE_NUMBER", before, value, after)
        for before, value, after in (
            ("Ligue ", "213 456 789", " ou escreva-nos."),
            ("Cell. ", "333 123 4567", ""),
            ("Bel ", "03 232 45 67", ""),
            ("Tel. ", "06 1234 5678", ""),
            ("Llame al ", "912 345 678", " o escriba."),
            ("Rufen Sie uns an: ", "0711 123456", ""),
            ("Tel. ", "22 12 34 56", ""),
            ("Ring ", "08-123 456 78", " idag"),
            ("Soita ", "040 123 4567", ""),
            ("Zadzwoń pod numer ", "22 123 45 67", "."),
            ("Volejte ", "601 234 567", ""),
            ("Καλέστε στο ", "210 123 4567", ""),
            ("Ph: ", "98765 43210", ""),
            ("電話 ", "03-1234-5678", ""),
            ("Chiamateci al numero ", "333 1234567", "."),
            ("Tlf. ", "912 34 567", ""),
            ("Desk ", "044 668 18 00", ""),
            ("", "0495 12 34 56", ""),
            ("", "(11) 91234-5678", ""),
            ("Phone: ", "467 3395", ""),
            ("", "781 1704", " office"),
        )
    ),
]  # fmt: skip

# Sentences of our own: manuals, shops and offices speak of the same things and name nobody's.
KEPT = [
    "The project was born on 12 May 2008 in a garage.",
    "NATO, 4 April 1949",
    "Our company was born on 1.4.1999.",
    "Released on 12 March 1981, last changed 2024-05-01.",
    "* 12.03.2021 Version 2.4 of the firmware",
    "Geb. 4711 liegt hinter dem Parkplatz, Stand 12.03.2021.",
    "A passport is needed for all travellers from 2024.",
    "Passport photos measure 35 x 45 mm; the fee is 130 dollars.",
    "passport.js 0.7.0 reads the session; PassportStrategy(1234567)",
    "The registration plate is fixed by two M6 screws.",
    "Der Schalter hat das Kennzeichen -S1 im Plan.",
    "The number plate was 2 days late.",
    "Steuer: 19 %, Rechnung 181-815-08155",
    "The tax number is printed on page 12 of the form 1040-ES.",
    "NIF must have 9 digits.",
    "Add 12.345.678-A of the part to the list.",
    "X-1234567-A is the code of the cover.",
    "529.982.247-26 is a wrong example.",
    "The price is 756.1234.5678.90 in the old notation.",
    "The password is required, case-sensitive and at least 8 characters long.",
    "Password: required",
    "Password: string",
    "password: null",
    "The password is too short.",
    "My password is rejected, and it worked yesterday.",
    "My password is not accepted.",
    "Das Passwort ist falsch.",
    "Mein Passwort wurde geändert, das Passwort ist abgelaufen.",
    "Le mot de passe est obligatoire.",
    "La contraseña es incorrecta.",
    "The default password is admin123.",
    "Standardpasswort: admin1",
    "The password is stored as a SHA256 hash; password: bcrypt2",
    "Password: <your password>",
    "Password: ********",
    "password = secret",
    "PASSWORD=$DB_PASS1 psql",
    "The password is 8-character at least, 12-digit at most.",
    "Passwort: 8 Zeichen",
    "passwords: see chapter 12b",
    "Username: your_name",
    "user name: postgres",
    "Login: admin",
    "The user name is the same as in version 2.",
    "user_id: user_1",
    "login: see login.conf",
    "Follow @types/node 18; hi @Override void run()",
    "cc @param value",
    "Look at the dot com boom and look at dot files.",
    "array[at].size(0) and index (at) 5.5",
    "cot(0.5) at 45 deg",
    "The phone weighs 187 g and has 128 000 000 pixels.",
    "We reached 512 345 678 users; call volume 1 200 300.",
    "We reached 500 000 000 people.",
    "Call foo() 1200300 times; ring buffer 8192 4096 2048",
    "Contact us about order number 213 456 789.",
    "Fax: 33600 bps, 14400 bps, 9600/14400/33600 bps",
    "The mobile version 12.345.678 is out; mobile: 12.03.2021",
    "Reach 213 456 789 EUR in sales.",
    "101 102 103 104 105 106\n201 202 203 204 205 206",
    "03 232 45 67 12 44 18\n04 111 45 67 12 44 18",
    "Cell: 0.512345 0.612345 0.712345",
    "Tel Aviv, 2024-05-01; telnet 192000",
    "Call 911 or 112 in an emergency.",
    "Telephone jack RJ-11, item 4711-0815",
    "Part 045/1234 at a price of 1 234 567,00 EUR",
    "Handy: 128 GB, 256 GB",
    "CVE-2021-44228, IMEI 356938035643809, 48.137154, 11.576124",
    "See Section 49.6.4.12, rows 100000-200000, 10:30-12:45, 2024-05-01T10:30:00",
]


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(PATTERNS)


@pytest.mark.parametrize(("entity", "before", "value", "after"), FOUND)
def test_the_value_alone_is_masked(
    scrubber: Scrubber, entity: str, before: str, value: str, after: str
) -> None:
    once = scrubber.scrub(before + value + after)
    assert once.text == f"{before}<{entity}>{after}"
    assert scrubber.scrub(once.text).text == once.text


@pytest.mark.parametrize("text", KEPT)
def test_prose_that_speaks_of_such_things_stays(scrubber: Scrubber, text: str) -> None:
    assert scrubber.scrub(text).text == text


@pytest.mark.parametrize(
    ("is_right", "value"),
    [
        (is_german, "12345678903"),
        (is_portuguese, "123456789"),
        (is_cpf, "52998224725"),
        (is_ahv, "7569217076985"),
        (is_spanish, "12.345.678-Z"),
        (is_spanish, "X-1234567-L"),
        (is_italian, "RSS MRA 85T10 A562S"),
    ],
)
def test_one_wrong_sign_is_seen_by_the_check(is_right: object, value: str) -> None:
    assert callable(is_right)
    assert is_right(value)
    wrong = [value[:-1] + other for other in ("ABCDEFGHIJ" if value[-1].isalpha() else "0123456789")]
    assert not any(is_right(one) for one in wrong if one != value)


def test_words_beside_a_value_count_in_prose_and_not_in_program_code() -> None:
    line = "password = hunter2; call 0711 123456"
    assert Scrubber(PATTERNS.of_code()).scrub(line).text == line
    assert Scrubber(PATTERNS).scrub(line).counts == {"PASSWORD": 1, "PHONE_NUMBER": 1}
    assert not {"PASSWORD", "USERNAME", "DATE_OF_BIRTH"} & set(CODE_PII)


def test_what_a_word_beside_it_makes_certain_is_sought_by_default() -> None:
    assert {"TAX_ID", "PASSPORT", "LICENSE_PLATE", "DATE_OF_BIRTH", "PASSWORD", "USERNAME"} <= set(
        DEFAULT_PII
    )


def test_a_value_that_the_policy_allows_stays() -> None:
    scrubber = Scrubber(PATTERNS.model_copy(update={"allow": ["213 456 789", "hunter*"]}))
    text = "Ligue 213 456 789. The password is hunter2"
    assert scrubber.scrub(text).text == text
