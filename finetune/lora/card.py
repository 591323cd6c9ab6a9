"""The card of an adapter, made from its manifest and nothing else: what it is, learned, showed, and how to use or undo it."""

from collections.abc import Iterator, Mapping
from typing import Any

Manifest = Mapping[str, Any]
_UNDECIDED = "not proved yet"


def render_card(manifest: Manifest) -> str:
    """Markdown for people; the same manifest gives the same card."""
    parts = [
        _head(manifest),
        _learned(manifest),
        _recipe(manifest),
        _proof(manifest),
        _limits(manifest),
        _use(manifest),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(manifest: Manifest) -> Iterator[str]:
    base, proof = manifest["base"], manifest.get("proof")
    verdict = proof["verdict"].replace("_", " ") if proof else _UNDECIDED
    yield f"# {manifest['adapter']}"
    yield ""
    yield (
        f"A LoRA adapter for `{base['served_as']}` ({base['licence']}), trained by `{manifest['method']}` to answer the"
        f" questions of the assistant `{manifest['recipe']['assistant']}` from passages, under the prompt"
        f" `{manifest['recipe']['prompt']}`."
    )
    yield ""
    yield f"- Status: {manifest['status']}; verdict: {verdict}"
    yield f"- Base: `{base['served_as']}`, digest `{base['digest']}`, licence {base['licence']}"
    yield f"- Licences of what it learned from: {', '.join(manifest['licences']) or 'none named'}"


def _learned(manifest: Manifest) -> Iterator[str]:
    dataset = manifest["dataset"]
    rows = dataset["rows"]
    yield "## What it learned from"
    yield ""
    yield f"{rows} rows of the dataset `{dataset['digest'][:12]}`, from {dataset['documents']} documents."
    yield ""
    yield "| | rows | share |"
    yield "|---|---|---|"
    told = {f"from {name}s": count for name, count in dataset["sources"].items()}
    told |= {f"kind `{name}`": count for name, count in dataset["kinds"].items()}
    told["without an answer"] = dataset["unanswerable"]
    for name, count in told.items():
        yield f"| {name} | {count} | {count / rows if rows else 0:.2f} |"


def _recipe(manifest: Manifest) -> Iterator[str]:
    training, run = manifest["recipe"]["training"], manifest["training"]
    alpha = training["alpha"] or 2.0 * training["rank"]
    yield "## Recipe"
    yield ""
    yield (
        f"`{manifest['recipe_digest']}`: rank {training['rank']}, alpha {alpha:g}, rate {training['learning_rate']:g},"
        f" {training['epochs']:g} epochs, {training['rows_a_step']} rows a step, seed {manifest['seed']}."
    )
    yield ""
    for name, value in sorted(run.items()):
        if isinstance(value, int | float | str):
            yield f"- {name}: {value:.4g}" if isinstance(value, float) else f"- {name}: {value}"
    versions = ", ".join(f"{name} {one}" for name, one in manifest["versions"].items() if one)
    yield f"- made with {versions}, on a processor with {', '.join(manifest['processor']) or 'no known extensions'};"
    yield "  another version or processor gives other bytes"


def _proof(manifest: Manifest) -> Iterator[str]:
    proof = manifest.get("proof")
    yield "## Proof"
    yield ""
    if not proof:
        yield f"{_UNDECIDED.capitalize()}: `touchstone finetune prove RECIPE`."
        return
    yield f"**{proof['verdict'].replace('_', ' ').capitalize()}.** {proof['sentence']}"
    yield ""
    yield "| set | gate | adapter | 95 % | base | limit | |"
    yield "|---|---|---|---|---|---|---|"
    for one in proof["findings"]:
        interval = f"{one['low']:.3f} to {one['high']:.3f}" if one.get("low") is not None else ""
        yield (
            f"| {one['set']} | {one['gate']} | {_number(one['value'])} | {interval} | {_number(one.get('base'))} |"
            f" {one['limit']} | {one['state']} |"
        )
    for name, share in proof.get("extractive", {}).items():
        yield ""
        yield f"The documents' own sentences, without any model, contain the answer in {share:.2f} ({name})."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _limits(manifest: Manifest) -> Iterator[str]:
    publication = manifest.get("publication") or {}
    yield "## Limits"
    yield ""
    yield "- It was proved on the sets above, greedily, with five passages; about other uses nothing is known."
    yield f"- It knows the languages of its rows: {', '.join(manifest['recipe']['data']['documents']['languages'])}."
    yield "- Who is to be forgotten can't be taken out of it: `touchstone finetune adapters RECIPE --source ID` names the"
    yield "  adapters that learned from a source, which are trained anew without it."
    if publication.get("approved_by"):
        yield f"- Published by {publication['approved_by']} against the verdict: {publication['reason']}"


def _use(manifest: Manifest) -> Iterator[str]:
    name, server = manifest["adapter"], manifest["recipe"]["publication"]["server"]
    yield "## Load and roll back"
    yield ""
    yield "```sh"
    yield f"# with the server's start: --enable-lora --lora-modules {name}=FOLDER"
    yield "# or while it runs, from its own machine or network:"
    yield f"curl {server}/load_lora_adapter -H 'content-type: application/json' \\"
    yield f'  -d \'{{"lora_name": "{name}", "lora_path": "FOLDER"}}\''
    yield "```"
    yield ""
    yield f"A variant of the scope file asks for it by name. `touchstone finetune rollback RECIPE --adapter {name}` stops its"
    yield "experiment: the variant before answers every question that comes from then on, within five seconds in every process,"
    yield "and answers that are being written end with the adapter."
