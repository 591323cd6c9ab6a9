"""Made-up people, places, companies and numbers for training, from Faker and from lists of our own."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from faker import Faker

LATIN = (
    "en_US en_GB en_AU en_CA en_IN en_IE en_NZ de_DE de_AT de_CH fr_FR fr_CA fr_BE es_ES es_MX es_CO es_AR it_IT nl_NL"
    " nl_BE pl_PL cs_CZ sk_SK sv_SE no_NO da_DK fi_FI hu_HU pt_BR pt_PT ro_RO tr_TR hr_HR sl_SI et_EE lt_LT lv_LV"
    " id_ID"
).split()
# Locales for which Faker has words of the language rather than Latin ones.
WORDY = (
    "en_US",
    "en_US",
    "en_US",
    "de_DE",
    "de_DE",
    "es_ES",
    "fr_FR",
    "nl_BE",
    "it_IT",
    "da_DK",
    "pl_PL",
    "cs_CZ",
)
_MORE_FAMILY = (
    "Nguyen Tran Pham Hoang Phan Kim Park Choi Jeong Kang Cho Yoon Lim Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu"
    " Sun Ma Zhu Hu Guo He Lin Luo Zheng Tanaka Suzuki Watanabe Yamamoto Nakamura Kobayashi Kato Yoshida Sato Ito Mori"
    " Hayashi Shimizu Okafor Adeyemi Okonkwo Eze Balogun Ogunleye Abubakar Mensah Owusu Boateng Asante Diallo Traore"
    " Keita Kone Coulibaly Ndiaye Diop Fall Mwangi Kamau Otieno Odhiambo Wanjiru Njoroge Dlamini Nkosi Ndlovu Khumalo"
    " Mokoena Tesfaye Bekele Haile Abebe Singh Kaur Sharma Patel Gupta Reddy Iyer Nair Menon Rao Das Banerjee Chatterjee"
    " Mukherjee Sen Bose Khan Ahmed Hussain Malik Sheikh Chaudhry Qureshi Siddiqui Rahman Islam Hossain Begum Akhtar"
    " Haddad Khoury Nasser Mansour Saleh Farouk Hamdan Darwish Aziz Hakim Rashid Najjar Sabbagh Levi Cohen Mizrahi Peretz"
    " Friedman Katz Shapiro Ivanov Petrov Sidorov Smirnov Kuznetsov Popov Volkov Sokolov Morozov Kovalenko Shevchenko"
    " Bondarenko Tkachenko Georgiou Papadopoulos Nikolaidis Vlachos Oyelaran Santos Reyes Cruz Bautista Garcia Ramos"
    " Mendoza Aquino Castillo Villanueva Kealoha Tui Faleolo Petelo Olsen Kleist Jeremiassen Geisler Berthelsen"
).split()
_MORE_GIVEN = (
    "Wei Jing Xin Hui Ming Yan Jun Lei Fang Min Minh Linh Thuy Huong Duc Anh Bao Lan Jin-woo Min-jun Seo-yeon Ji-hye"
    " Hyun-woo Soo-jin Haruto Yuki Sakura Hiroshi Kenji Aiko Naoki Emi Takeshi Chidi Ngozi Amaka Emeka Ifeoma Oluwaseun"
    " Folake Tunde Kwame Akosua Kofi Abena Yaw Ama Moussa Fatou Mamadou Aminata Ousmane Awa Wanjiku Kipchoge Achieng"
    " Thabo Sipho Nomsa Zanele Lerato Abeba Dawit Selam Priya Arjun Ananya Rohan Lakshmi Sanjay Deepa Vikram Kavita Rahul"
    " Harpreet Gurpreet Manpreet Aisha Fatima Omar Yusuf Ibrahim Khalid Layla Noor Hassan Zainab Tariq Bilal Samira Rania"
    " Ahmad Mustafa Leila Reza Shirin Dariush Parisa Noa Yael Avi Shlomo Tamar Dmitri Olga Svetlana Sergei Natasha Yulia"
    " Oksana Taras Bohdan Andriy Dimitris Eleni Kostas Despina Nikos Maricel Jomar Rizal Althea Leilani Kalani Sione Mele"
    " Tevita Minik Paninnguaq Aviaja Nuka Malik Ivalu Aputsiaq Mia Leo Zoe Max Sam Alex Kim Robin Chris Pat Jo Lou"
).split()
# Names that are words as well: only the sentence tells them apart.
WORDLIKE = (
    "Will Mark May Rose Grace Hope Faith Joy Bill Frank Rob Jack Drew Grant Chase Hunter Mason Carter Parker Taylor"
    " Cooper Baker Smith King Young Brown Green White Black Rich Long Short Price Page Bond Cash Law Day Summer"
    " Autumn Dawn April June August Victoria Austin Jordan Paris Chelsea Sydney Florence Brooklyn Virginia Carolina"
    " Dallas Jackson Lincoln Washington Penny Sunny Sandy Olive Ivy Iris Daisy Heather Lily Violet Ruby Pearl Amber"
    " Miles Art Gene Dean Earl Duke Major Ray Dale Cliff Glen Brook Lane Field Woods Rivers Stone Bush Bell Ford"
).split()
_CITIES = (
    "London Paris Berlin Madrid Rome Vienna Prague Warsaw Budapest Lisbon Dublin Oslo Stockholm Copenhagen Helsinki"
    " Tallinn Riga Vilnius Kyiv Athens Istanbul Ankara Cairo Lagos Nairobi Accra Johannesburg Pretoria Casablanca Tunis"
    " Dubai Doha Riyadh Tehran Baghdad Karachi Lahore Delhi Mumbai Bangalore Chennai Kolkata Dhaka Colombo Bangkok Hanoi"
    " Jakarta Manila Singapore Beijing Shanghai Shenzhen Tokyo Osaka Kyoto Seoul Busan Sydney Melbourne Auckland Boston"
    " Chicago Houston Dallas Seattle Denver Atlanta Miami Toronto Montreal Vancouver Lima Bogotá Santiago Quito Caracas"
    " Havana Nuuk Reykjavik Geneva Zürich Basel Hamburg Munich Köln Leipzig Lyon Marseille Nantes Milan Turin Naples"
    " Seville Valencia Bilbao Porto Utrecht Rotterdam Antwerp Ghent Glasgow Leeds Cardiff Belfast Cork"
).split()
_STATES = (
    "California;Texas;Ohio;Florida;Oregon;New York;North Carolina;Bavaria;Saxony;Catalonia;Andalusia;Tuscany;Lombardy;"
    "Brittany;Normandy;Ontario;Quebec;Alberta;Queensland;Victoria;New South Wales;Kerala;Punjab;Gujarat;Bihar;Sindh;"
    "Yorkshire;Kent;Cornwall;Scotland;Wales;Northern Ireland;Greenland;Hokkaido;Guangdong;Sichuan;Gauteng;Bahia;NY;TX;"
    "CA;OH;NJ;PA;IL;Jutland;Tyrol;Transylvania;Galicia;Lapland;Siberia;Anatolia;Patagonia"
).split(";")
_COUNTRIES = (
    "Germany;France;Spain;Italy;Portugal;Poland;Hungary;Austria;Switzerland;Belgium;the Netherlands;Denmark;Sweden;"
    "Norway;Finland;Iceland;Ireland;the United Kingdom;UK;the United States;USA;U.S.;US;Canada;Mexico;Brazil;Argentina;"
    "Chile;Peru;Colombia;Cuba;Egypt;Morocco;Tunisia;Algeria;Nigeria;Ghana;Kenya;Ethiopia;Tanzania;Uganda;Zambia;"
    "South Africa;Israel;Lebanon;Jordan;Syria;Iraq;Iran;Turkey;Saudi Arabia;Qatar;India;Pakistan;Bangladesh;Nepal;"
    "Sri Lanka;Thailand;Vietnam;Laos;Malaysia;Indonesia;the Philippines;China;Taiwan;Japan;South Korea;Mongolia;Russia;"
    "Ukraine;Belarus;Lithuania;Latvia;Estonia;Romania;Bulgaria;Greece;Serbia;Croatia;Slovenia;Slovakia;Czechia;"
    "the Czech Republic;Albania;Georgia;Armenia;Kazakhstan;Uzbekistan;Australia;New Zealand;Fiji;Samoa;Cyprus;Malta"
).split(";")
_PEOPLES = (
    "German French Spanish Italian Portuguese Polish Hungarian Austrian Swiss Belgian Dutch Danish Swedish Norwegian"
    " Finnish Icelandic Irish British English Scottish Welsh American Canadian Mexican Brazilian Argentine Chilean"
    " Peruvian Colombian Cuban Egyptian Moroccan Tunisian Nigerian Ghanaian Kenyan Ethiopian Ugandan Israeli Lebanese"
    " Syrian Iraqi Iranian Turkish Saudi Indian Pakistani Bangladeshi Nepali Thai Vietnamese Malaysian Indonesian"
    " Filipino Chinese Taiwanese Japanese Korean Mongolian Russian Ukrainian Lithuanian Latvian Estonian Romanian"
    " Bulgarian Greek Serbian Croatian Slovenian Slovak Czech Albanian Georgian Armenian Kazakh Australian Samoan Maltese"
    " European African Asian Latino Hispanic Kurdish Basque Catalan Jewish Muslim Christian Catholic Buddhist Hindu Sikh"
    " Protestant Orthodox Germans Italians Americans Egyptians Danes Poles Finns Turks"
).split()
_STREET_WORDS = (
    "{n} Street;{n} Road;{n} Avenue;{n} Lane;{n} Drive;{n} Court;{n} Way;{n} Close;{n} Crescent;{n} Boulevard;{n} St.;"
    "{n} Ave;{n} Rd;{n} Blvd.;{n} Terrace;{n} Place;{n} Hill;{n} Grove;{n} Parkway;{n}straße;{n}gasse;{n}weg;{n}platz;"
    "{n}allee;{n}strasse;Am {n};Rue de {n};Rue {n};Avenue de la {n};Chemin de {n};Via {n};Via delle {n};Viale {n};"
    "Piazza {n};Calle {n};Avenida {n};C/ {n};Plaza {n};Camino {n};Rua {n};Rua da {n};Travessa {n};{n}laan;{n}straat;"
    "{n}plein;{n}dreef;{n}gatan;{n}vägen;{n}gade;{n}vej;{n}gata;{n}veien;{n}katu;{n}tie;{n}kuja;ul. {n};ulica {n};"
    "aleja {n};{n} utca;{n} út;{n} tér;Ulice {n};{n} ulice;{n}ska cesta;{n} tänav;{n} iela;{n} gatvė;Strada {n};"
    "Bulevardul {n};{n} Sokak;{n} Caddesi;Jalan {n};Jl. {n};{n} Marg;{n} Nagar"
).split(";")
_UNITS = "Apt. {d};Apt {d};Suite {d};Unit {d};Flat {d};Floor {s};#{d};Apartment {d};Stiege {s};PO Box {d};P.O. Box {d}"
_ORG_TAILS = (
    "Inc.;Inc;Ltd;Ltd.;LLC;GmbH;AG;S.A.;SARL;B.V.;AB;ApS;Oy;Kft.;s.r.o.;Corp.;Group;Holdings;Partners;& Sons;& Co;Bank;"
    "Insurance;Logistics;Systems;Consulting;Foods;Energy;Pharma;Airlines;Motors;Labs;Studios;Media;Hospital;University;"
    "Institute;Foundation;College;Council;Associates;Records;Orchestra"
).split(";")
_REAL_ORGS = (
    "Acme;Globex;Initech;the Red Cross;UNICEF;NASA;the BBC;CNN;Interpol;the World Bank;NATO;the European Union;UNESCO;FIFA;"
    "the United Nations;the Supreme Court;the Ministry of Finance;the Department of Health;the Fire Brigade;"
    "the Labour Party;Congress;Parliament;the Senate;the Royal Society"
).split(";")
_SYLLABLES = (
    "ba be bi bo bu ca ce cha da de di do dra el en fa fe fi ga ge gra ha he ho hu in is ja jo ka ke ki kla ko kra la"
    " le li lo lu ma me mi mo mu na ne ni no o pa pe po pra qua ra re ri ro ru sa se sha si so sta ta te ti to tra u"
    " va ve vi vo wa we xa ya yo za ze zo"
).split()
_ENDINGS = "son sen berg mann ski ova ic ez es ian yan idis oglu ko enko ov in a o i us er el ar an en ita ena as".split()
_MONTHS = (
    "January February March April May June July August September October November December Jan Feb Mar Apr Jun Jul Aug"
    " Sep Oct Nov Dec"
).split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mon Tue Wed Thu Fri".split()
_PHONES = (
    "### ### ####;(###) ###-####;###-###-####;+1 ### ### ####;+44 20 #### ####;0## ### ## ##;## ### ###;## ## ## ##;"
    "+49 ### #######;0### ######;0## ### ####;+33 # ## ## ## ##;###.###.####;+36 ## ### ####;(0##) #### ####;"
    "+91 ##### #####;### ## ##;00## ### ### ###;+45 ## ## ## ##;##########;+# (###) ###-####;###-###-####x###;"
    "0#-########;(##) ####-####;0## #######;001-###-###-####"
).split(";")
_ZIPS = "#####;#####;#####-####;####;#### @@;@@# #@@;@## #@@;### ##;@#@ #@#;##-###;####-###;######".split(";")


@dataclass(frozen=True, slots=True)
class Names:
    """Given and family names of one locale."""

    given: tuple[str, ...]
    family: tuple[str, ...]


class Values:
    """Draws a value for a slot of a template. The same seed draws the same values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._fakers = {}
        for locale in LATIN:
            faker = Faker(locale)
            faker.seed_instance(seed)
            self._fakers[locale] = faker
        self.names = [self._collect(faker) for faker in self._fakers.values()]
        self.names += [Names(tuple(_MORE_GIVEN), tuple(_MORE_FAMILY))] * 9

    @staticmethod
    def _collect(faker: Faker) -> Names:
        given = {faker.first_name() for _ in range(600)}
        family = {faker.last_name() for _ in range(600)}
        return Names(tuple(sorted(given)), tuple(sorted(family)))

    def _pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _digits(self, shape: str) -> str:
        letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
        return "".join(
            str(self._random.randint(0, 9)) if c == "#" else self._random.choice(letters) if c == "@" else c
            for c in shape
        )

    def _invented(self, *, family: bool) -> str:
        core = "".join(self._random.choice(_SYLLABLES) for _ in range(self._random.randint(1, 3)))
        return (core + (self._random.choice(_ENDINGS) if family or self._chance(0.4) else "")).capitalize()

    def given(self) -> str:
        """A first name."""
        if self._chance(0.06):
            return self._random.choice(WORDLIKE)
        if self._chance(0.06):
            return self._invented(family=False)
        name = self._random.choice(self._random.choice(self.names).given)
        return f"{name}-{self.given()}" if self._chance(0.02) else name

    def family(self) -> str:
        """A last name."""
        roll = self._random.random()
        if roll < 0.05:
            return self._random.choice(WORDLIKE)
        if roll < 0.12:
            return self._invented(family=True)
        name = self._random.choice(self._random.choice(self.names).family)
        if roll > 0.97:
            return f"{name}-{self.family()}"
        if roll > 0.94:
            return (
                f"{self._pick('van', 'van der', 'de', 'de la', 'von', 'al-', 'bin', 'Mc', 'O’', 'Le', 'dos')} {name}".replace(
                    "- ", "-"
                )
                .replace("Mc ", "Mc")
                .replace("O’ ", "O'")
            )
        return name

    def person(self) -> str:
        """A full name in one of many shapes."""
        local = self._random.choice(self.names)
        given, family = self.given(), self.family()
        if self._chance(0.6):
            given, family = self._random.choice(local.given), self._random.choice(local.family)
        initial = given[0]
        shapes = (
            [f"{given} {family}"] * 12
            + [given] * 6
            + [family] * 2
            + [
                f"{given} {self._random.choice('ABCDEFGHJKLMNPRSTW')}. {family}",
                f"{given} {self._random.choice('ABCDEFGHJKLMNPRSTW')} {family}",
                f"{initial}. {family}",
                f"{initial}.{self._random.choice('ABCDEFGHJKLMNPRSTW')}. {family}",
                f"{given} {self.given()} {family}",
                f"{family}, {given}",
                f"{given} {family} {self._pick('Jr.', 'Sr.', 'III', 'II')}",
                f"{given} {family[0]}.",
                f"{given.upper()} {family.upper()}",
                f"{family.upper()} {given}",
                f"{given} {family} {self.family()}",
            ]
        )
        return self._random.choice(shapes)

    def title(self) -> str:
        """An honorific."""
        return self._pick(
            "Mr.",
            "Mrs.",
            "Ms.",
            "Dr.",
            "Prof.",
            "Mr",
            "Mrs",
            "Ms",
            "Miss",
            "Herr",
            "Frau",
            "Sr.",
            "Mme",
            "M.",
            "Sir",
        )

    def street(self) -> str:
        """A street with a house number, in many countries' ways."""
        pattern = self._random.choice(_STREET_WORDS)
        stem = (
            self.family()
            if self._chance(0.5)
            else self._random.choice(self.names).given[self._random.randrange(50)]
        )
        if self._chance(0.3):
            stem = self._pick(
                "Oak",
                "Maple",
                "Park",
                "Church",
                "Mill",
                "High",
                "Station",
                "Linden",
                "Rosen",
                "Main",
                "Elm",
                "Garden",
                "Queens",
                "Victoria",
                "Second",
                "5th",
                "North",
                "West End",
            )
        name = pattern.format(n=stem)
        if pattern[0] == "{" and " " not in pattern:
            name = name.replace(" ", "")
        number = str(self._random.randint(1, 9999 if self._chance(0.25) else 250))
        if self._chance(0.12):
            number += self._pick("a", "b", " A", "/3", "-15", " bis")
        if self._chance(0.06):
            return name
        is_english = pattern.startswith("{n} ") and pattern[4:5].isupper()
        return (
            f"{number} {name}"
            if is_english or self._chance(0.2)
            else f"{name}{self._pick(' ', ' ', ', ')}{number}"
        )

    def unit(self) -> str:
        """A flat, a suite, a post-office box."""
        return self._random.choice(_UNITS.split(";")).format(
            d=self._random.randint(1, 999), s=self._random.randint(1, 20)
        )

    def house(self) -> str:
        """A bare house number."""
        return str(self._random.randint(1, 9999))

    def city(self) -> str:
        """A town, real or made up."""
        roll = self._random.random()
        if roll < 0.35:
            return self._random.choice(_CITIES)
        if roll < 0.45:
            return self._invented(family=False) + self._pick(
                "burg", "stad", "ville", "ton", "by", "ham", "dorf", "ovo", "field", ""
            )
        city = str(self._random.choice(list(self._fakers.values())).city())
        return city.upper() if self._chance(0.1) else city

    def place(self) -> str:
        """A town, a region or a country."""
        roll = self._random.random()
        return self.city() if roll < 0.45 else self.country() if roll < 0.8 else self.state()

    def state(self) -> str:
        """A region."""
        return self._random.choice(_STATES)

    def country(self) -> str:
        """A country; `the` is no part of the name."""
        return self._random.choice(_COUNTRIES).removeprefix("the ")

    def people(self) -> str:
        """A nationality, a religion or a group."""
        return self._random.choice(_PEOPLES)

    def zip(self) -> str:
        """A postal code."""
        return self._digits(self._random.choice(_ZIPS))

    def org(self) -> str:
        """A company, an office, a club."""
        roll = self._random.random()
        if roll < 0.1:
            return self._random.choice(_REAL_ORGS).removeprefix("the ")
        if roll < 0.4:
            return str(self._random.choice(list(self._fakers.values())).company())
        stem = self.family() if self._chance(0.3) else self._invented(family=self._chance(0.3))
        if roll < 0.6:
            return stem
        if roll < 0.7:
            return stem + self._invented(family=False)
        if roll < 0.73:
            return f"{stem}, {self.family()} and {self.family()}"
        return f"{stem} {self._random.choice(_ORG_TAILS)}"

    def date(self) -> str:
        """A date or a time as people write it."""
        day, month, year = (
            self._random.randint(1, 28),
            self._random.randint(1, 12),
            self._random.randint(1930, 2029),
        )
        name = self._random.choice(_MONTHS)
        clock = f"{self._random.randint(0, 23):02d}:{self._random.randint(0, 59):02d}"
        return self._pick(
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}/{month:02d}/{year}",
            f"{month}/{day}/{year % 100:02d}",
            f"{day}.{month}.{year}",
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
            f"{name} {day}",
            f"{name} {year}",
            f"{day}th of {name}",
            str(year),
            str(year),
            self._random.choice(_DAYS),
            self._random.choice(_DAYS),
            f"{self._random.choice(_DAYS)}, {day} {name}",
            f"{year}-{month:02d}-{day:02d} {clock}:{day:02d}",
            clock,
            f"{self._random.randint(1, 12)}{self._pick('am', 'pm', ' p.m.', ' AM')}",
            f"{year - year % 10}s",
            "yesterday",
            "tomorrow",
            "last week",
            "next Monday",
            f"{self._random.randint(2, 30)} days ago",
        )

    def age(self) -> str:
        """An age in years."""
        return str(self._random.randint(1, 99))

    def phone(self) -> str:
        """A telephone number."""
        return self._digits(self._random.choice(_PHONES))

    def email(self) -> str:
        """An address for mail."""
        given, family = self.given().lower().replace(" ", ""), self.family().lower().replace(" ", "")
        host = self._pick("example.com", "mail.example", "acme.test", "post.example.org", "corp.example.net")
        return f"{self._pick(f'{given}.{family}', f'{given[0]}{family}', given, f'{family}{self._random.randint(1, 99)}')}@{host}"

    def card(self) -> str:
        """A payment card's number."""
        number = self._digits(self._pick("4###############", "5###############", "3##############"))
        return " ".join(number[i : i + 4] for i in range(0, len(number), 4)) if self._chance(0.4) else number

    def iban(self) -> str:
        """An account's number."""
        return self._digits(
            self._pick("GB## @@@@ #### #### #### ##", "DE####################", "FR#########################")
        )

    def order(self) -> str:
        """A business id: an order, a ticket, an article; nobody's personal data."""
        return self._digits(
            self._pick(
                "#####",
                "######",
                "ORD-#####",
                "#########",
                "TK-####",
                "#####-####",
                "INV-2024-####",
                "SKU @@-####",
                "NB-#####",
                "RMA####",
                "@@######",
                "@@@-###",
                "##-####-##",
                "#@##@",
                "###########",
                "PO#######",
            )
        )

    def amount(self) -> str:
        """Money, a share or a count."""
        return self._digits(
            self._pick(
                "$##",
                "€###.##",
                "#.## %",
                "£#,###",
                "## EUR",
                "###",
                "# days",
                "## GB",
                "v#.#.#",
                "##°C",
                "$#.###.##",
            )
        )

    def first_name_user(self) -> str:
        """A login name."""
        return self.given().lower().replace(" ", "") + str(self._random.randint(1, 999))

    def product(self) -> str:
        """A product, a feature or a program: capitalised, and nobody's name."""
        stem = self._pick(
            "Nimbus",
            "Aero",
            "Pulse",
            "Vertex",
            "Orbit",
            "Lumen",
            "Quick",
            "Smart",
            "Home",
            "Cloud",
            "Data",
            "Postgre",
            "Open",
            "Power",
            "Night",
            "Air",
            "Mega",
            "Ultra",
            "Micro",
            "Blue",
            "Fire",
            "Fast",
            "Auto",
        )
        tail = self._pick(
            "SQL",
            "Pad",
            "Hub",
            "One",
            "Pro",
            "Box",
            "Cam",
            "Desk",
            "Pay",
            "Guard",
            "Link",
            "Max",
            "Sync",
            "OS",
            " Mini",
            " Plus",
            " X2",
            " 3000",
            " Watch",
            " Speaker",
        )
        return stem + tail

    @cached_property
    def _given(self) -> frozenset[str]:
        return frozenset(name.casefold() for names in self.names for name in names.given)

    def _words(self, count: int) -> list[str]:
        """Words of one language, none of which is somebody's name."""
        words = self._fakers[self._pick(*WORDY)].words(count + 3)
        return [word for word in map(str, words) if word.casefold() not in self._given][:count] or ["and"]

    def lorem(self) -> str:
        """A sentence of real words in one of several languages, in no sensible order."""
        text = " ".join(self._words(self._random.randint(3, 14)))
        return text[0].upper() + text[1:] + self._pick(".", ".", ".", "?", "")

    def heading(self) -> str:
        """One to four words, most of them with a capital."""
        style = self._random.random()
        text = " ".join(self._words(self._random.randint(1, 4)))
        return text.title() if style < 0.5 else text[0].upper() + text[1:] if style < 0.9 else text.upper()

    def brand(self) -> str:
        """A maker's or a product's name: made up, and nobody's."""
        if self._chance(0.3):
            return self.product()
        tail = self._pick(
            "",
            "moor",
            "tek",
            "io",
            "ify",
            "ora",
            "well",
            "works",
            "net",
            "ex",
            "ix",
            "ly",
            "on",
            "Home",
            "Pay",
            "Box",
        )
        return self._invented(family=False) + tail

    def job(self) -> str:
        """An occupation."""
        return str(self._fakers[self._pick("en_US", "en_GB", "de_DE", "es_ES", "fr_FR")].job())

    @cached_property
    def slots(self) -> Mapping[str, tuple[str | None, Callable[[], str]]]:
        """Slot → the label of what it draws (None: not personal data) and the draw."""
        return {
            "person": ("PERSON", self.person), "given": ("PERSON", self.given), "family": ("PERSON", self.family),
            "title": ("TITLE", self.title), "street": ("STREET_ADDRESS", self.street), "unit": ("STREET_ADDRESS", self.unit),
            "house": ("STREET_ADDRESS", self.house), "city": ("GPE", self.city), "place": ("GPE", self.place),
            "state": ("GPE", self.state), "country": ("GPE", self.country), "people": ("NRP", self.people),
            "zip": ("ZIP_CODE", self.zip), "org": ("ORGANIZATION", self.org), "date": ("DATE_TIME", self.date),
            "age": ("AGE", self.age), "phone": ("PHONE_NUMBER", self.phone), "email": (None, self.email),
            "card": (None, self.card), "iban": (None, self.iban), "order": (None, self.order), "amount": (None, self.amount),
            "user": (None, self.first_name_user), "product": (None, self.product),
            "lorem": (None, self.lorem), "heading": (None, self.heading), "brand": (None, self.brand), "job": (None, self.job),
        }  # fmt: skip
