"""An adapter over HTTP: a canary meets it, and a roll-back leads everybody back while it ends what it began."""

import threading
from pathlib import Path
from typing import Any

from finetune.lora.publish import Person, Place, publish, roll_back
from finetune.lora.registry import note
from service.database import open_database
from service.experiments.lifecycle import Actor, start
from service.scope import load_scope
from tests.conftest import Gateway, StartGateway, scope_with, wait_until
from tests.finetune.lora.made import recipe, registered
from tests.upstream import ScriptedUpstream

QUESTION = "How many recovery codes do I get?"
ADA = Person("Ada", "Too many complaints")


def asked(gateway: Gateway, user: str) -> dict[str, Any]:
    rag: dict[str, Any] = gateway.ask(QUESTION, user=user, rag={"dry_run": True}).json()["rag"]
    return rag


def test_answers_in_flight_end_with_the_adapter_and_new_ones_begin_without_it(
    start_gateway: StartGateway, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    off = dict.fromkeys(("leak", "exact", "grounding", "toxicity", "repetition", "length"), "off")
    scope_file = scope_with(tmp_path, output=off)
    adapter = note(
        registered(tmp_path / "shop"), proof={"verdict": "pass", "sentence": "Yes.", "findings": []}
    )
    own = recipe(publication={"server": upstream.url, "loading": "static", "coverage": 100})
    name = publish(adapter, own, Place(scope_file), apply=True).variant
    upstream.model, upstream.adapters = "small", (adapter.name,)
    upstream.tokens = ["You get ", "ten codes", ". [1]"]
    with start_gateway(scope_file=scope_file) as gateway:
        place = Place(scope_file, engine=open_database(gateway.settings.database()))
        assert place.engine
        start(place.engine, load_scope(scope_file), name, Actor("Ada", "A pilot", 0.0))
        wait_until(lambda: asked(gateway, "first")["experiment"] == name)
        arms = {user: asked(gateway, user)["arm"] for user in (f"user-{number}" for number in range(12))}
        # Whoever is in the control waits for no adapter.
        user, other = (
            next(user for user, own in arms.items() if own == arm) for arm in ("treatment", "control")
        )

        upstream.gate.clear()
        before, replies = upstream.requests, []
        asking = threading.Thread(target=lambda: replies.append(gateway.ask(QUESTION, user=user)))
        asking.start()
        wait_until(lambda: upstream.requests > before)
        roll_back(adapter, place, ADA)
        wait_until(lambda: asked(gateway, other)["experiment"] is None)
        later = asked(gateway, user)
        assert replies == [], "the adapter still writes"
        upstream.gate.set()
        asking.join()
        place.engine.dispose()
    (reply,) = replies
    rag = reply.json()["rag"]
    assert (rag["arm"], rag["variant"], rag["degraded"]) == ("treatment", name, False)
    assert "ten codes" in reply.json()["choices"][0]["message"]["content"]
    assert upstream.bodies[-1]["model"] == adapter.name
    assert later["variant"] == "baseline"
