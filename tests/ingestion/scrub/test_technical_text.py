"""Technical text keeps its numbers: versions, sections, decimals, times and names of algorithms are nobody's data."""

import pytest

from ingestion.config import PiiPolicy
from ingestion.scrub import Scrubber

PATTERNS = PiiPolicy.model_validate({"names": "none", "action": "mask", "actions": {}})


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(PATTERNS)


# Sentences of our own, modelled on what manuals, changelogs and tables hold.
KEPT = [
    "cot(0.5) → 1.830487721712452",
    "acosd(0.5) → 60; log10(100) → 2; 0.5463024898437905",
    "CVE-2021-44228 and CVE-2014-0160123 were mended.",
    "See Section 49.6.4.12 and chapter 4.1.2.1.",
    "12.2.3.4. Managing machines",
    "La sección 14.3.4.1 lo explica, und Abschnitt 5.2.1.3 auch.",
    "For upgrades from versions before 1.7.9.5 run the script.",
    "Firmware 3.12.0.4 repairs the clock. Windows 10.0.19041.1 or newer is needed.",
    "device: Hub; firmware: 3.12.0.4",
    "Package libfoo-2.31.0.1 replaces libfoo 2.30.0.4-1.",
    "The OID is 1.3.6.1.4.1.311.21.8.",
    '{"lat": 52.5702100309281, "lon": -9.28, "updated": 1548138160707}',
    "The value 2.4539578062003000 is rounded.",
    "IMEI 356938035643809, ICCID 8944110068900000018.",
    "Order spare part 4023.1125.7781 or 4023.1125.778A.",
    "Bar codes 4006381333900 and 4006381334273.",
    "Bug #1234567 and bug 9876543210 are closed; see RFC 4251 and issue-1029384756.",
    "ISBN 0-201-70309-2, ISBN 978-3-16-148410-0.",
    "shmmax=17179869184, at most 2147483647 bytes, ports 1024-65535",
    "postgres  15554  0.0  0.0  57536  1184 ?  Ss  18:02",
    "cost=0.29..1510.08 rows=10000; time=0.711..7.427",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 of 550e8400-e29b-41d4-a716-446655440000",
    "2012-11-11 02:24:53.609667389 +0900 and 2019-05-18T15:17:08.132263",
    "[0123456789] matches a digit; accumulate gives 100 101 103 106 110 115",
    "listen=0.0.0.0, 127.0.0.1 and ::1, netmask 255.255.255.252",
    "The network 192.168.122.0/24 is private.",
    "SELECT 5::bit, 'x'::text, std::vector, Foo::Bar",
    "install left-pad@1.3.0 and postgresql@15-main.service",
    "Clone git@example.org:team/tool.git; curl -F web=@index.html",
    "Ciphers aes128-gcm@openssh.com, sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "Boston, MA 02110-1301, USA",
]


@pytest.mark.parametrize("text", KEPT)
def test_numbers_of_technical_text_stay(scrubber: Scrubber, text: str) -> None:
    assert scrubber.scrub(text).text == text


GONE = [
    ("PHONE_NUMBER", "Call +49 30 90182045 now."),
    ("PHONE_NUMBER", "Tel.: 030 90182045"),
    ("PHONE_NUMBER", "tel:0171/1234567"),
    ("PHONE_NUMBER", "phone=2125551234"),
    ("PHONE_NUMBER", "Reach us at (212) 555-0134 or write."),
    ("PHONE_NUMBER", "It is 212-555-0134."),
    ("PHONE_NUMBER", "Mobile 07911 123456, day and night"),
    ("PHONE_NUMBER", "2125550134 office"),
    ("PHONE_NUMBER", "+46 (0)8 928 571 38 fax"),
    ("CREDIT_CARD", "Card: 4111111111111111"),
    ("CREDIT_CARD", "Paid by 5500 0000 0000 0004."),
    ("CREDIT_CARD", "cc 30569309025904 was billed"),
    ("IP_ADDRESS", "login from 203.0.113.77"),
    ("IP_ADDRESS", "the host 10.1.2.3 is down"),
    ("IP_ADDRESS", "curl http://85.214.132.117:8080/"),
    ("IP_ADDRESS", "address 2001:67c:2564:a119::77"),
    ("MAC_ADDRESS", "ether 00:1b:44:11:3a:b7"),
    ("MAC_ADDRESS", "device 08:00:2b:01:02:03:04:05"),
    ("MAC_ADDRESS", "interface 0012.4411.3ab7"),
    ("IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
    ("EMAIL_ADDRESS", "<jo.bell@mailbox.example>"),
    ("SG_NRIC_FIN", "NRIC S1234567D"),
    ("SECRET_KEY", "sk-proj-Ab3dEf6hIj9kLm2nOp5qRs8t"),
]


@pytest.mark.parametrize(("entity", "text"), GONE)
def test_what_belongs_to_somebody_goes(scrubber: Scrubber, entity: str, text: str) -> None:
    assert scrubber.scrub(text).counts == {entity: 1}


def test_a_part_number_with_a_wrong_check_letter_is_no_identity_number(scrubber: Scrubber) -> None:
    assert scrubber.scrub("Part S1234567A and M1234567X fit.").counts == {}


@pytest.mark.parametrize(
    "text",
    [
        "-noleaf",
        "-c --stdout --to-stdout",
        "Consequences on MS-DOS are few.",
        "B.3. Kernel space",
        "Appendix C shows which words are reserved.",
        "24.2.2.3.1. libc Collations",
        "13.2.2. Einen Fenstermanager auswählen",
        "Released Sun, 13 Jul 2025",
        "* Bump debhelper version.",
        "curl ( 7.88.1-10+deb12u6)",
    ],
)
def test_options_headings_and_programs_are_no_names(text: str) -> None:
    names = Scrubber(PiiPolicy(action="mask", actions={}))
    assert names.scrub(text).text == text


def test_a_word_that_the_text_has_in_small_letters_too_is_no_name_unless_somebody_is_called_so() -> None:
    names = Scrubber(PiiPolicy(action="mask", actions={}))
    texts = [
        "The manual tells what Gentoo is.",
        "Install gentoo first, as roland says.",
        "Since Roland and I left",
    ]
    found = names.scrub_all(texts)
    assert found[0].text == texts[0]
    assert found[2].text == "Since <PERSON> and I left"
