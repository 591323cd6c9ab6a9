"""The page in a real Chromium: ask, stream, cite, fail, try again, copy, thumb, languages, keyboard, phone, dark."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Demo, Gateway, StartGateway, wait_until
from tests.service.conftest import open_file
from tests.upstream import ScriptedUpstream

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
QUESTION = "How many recovery codes do I get?"
SHOTS = os.environ.get("TOUCHSTONE_SCREENSHOTS")  # noqa: TID251  # a folder to keep pictures in
FLAGS = "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update --disable-sync"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as api:
        made = api.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield made
        made.close()


@pytest.fixture
def page(browser, gateway: Gateway) -> Iterator[object]:  # type: ignore[no-untyped-def]
    made = browser.new_page(viewport={"width": 1000, "height": 760})
    problems: list[str] = []
    made.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.goto(gateway.url)
    yield made
    made.close()
    assert problems == []


def shot(page, name: str) -> None:  # type: ignore[no-untyped-def]
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def ask(page, question: str) -> None:  # type: ignore[no-untyped-def]
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")
    page.locator(".turn:last-child .answer:not([aria-busy])").wait_for()


def test_a_question_is_answered_with_sources_that_open_in_their_context(page) -> None:  # type: ignore[no-untyped-def]
    shot(page, "welcome")
    ask(page, QUESTION)
    assert "ten recovery codes" in page.locator(".answer .text").inner_text()
    page.locator(".cite").first.click()
    dialog = page.locator("#passage")
    dialog.locator(".around").first.wait_for()
    assert "ten recovery codes" in dialog.locator("mark").inner_text()
    assert dialog.get_by_role("heading").inner_text() == "Two-step sign-in"
    text = dialog.locator("#passage-text").inner_text()
    assert len(text) > len(dialog.locator("mark").inner_text()) + 100
    shot(page, "passage")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    shot(page, "answer")


def test_a_curated_answer_is_labelled_and_names_what_its_author_did(page, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    question, said = "Do you rent electric bikes?", "Yes, at every shop."
    cited = [{"url": "https://larkmoor.example/bikes", "title": "Our bikes"}]
    with gateway.client() as client:
        body = {"question": question, "answer": said, "citations": cited}
        assert client.put("/v1/curated/bikes", json=body).status_code in (200, 201)
    ask(page, question)
    assert page.locator(".answer .sources .place").inner_text() == "Curated answer"
    page.locator(".cite").first.click()
    dialog = page.locator("#passage")
    assert dialog.locator("mark").inner_text() == said
    assert dialog.get_by_role("heading").inner_text() == question
    assert dialog.locator("#passage-place").inner_text() == "Curated answer"
    assert dialog.get_by_role("link", name="Our bikes").get_attribute("href") == cited[0]["url"]
    shot(page, "curated")
    page.keyboard.press("Escape")


def test_everything_works_with_the_keyboard_alone(page) -> None:  # type: ignore[no-untyped-def]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the question"
    page.keyboard.press("Enter")
    page.get_by_label("Your question").focus()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.locator(".answer:not([aria-busy])").wait_for()
    for _ in range(30):
        if page.evaluate("document.activeElement.className") == "cite":
            break
        page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Source")
    page.keyboard.press("Enter")
    assert page.locator("#passage").is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "cite", "the focus comes back"


def test_what_the_documents_do_not_say_is_said_so(page) -> None:  # type: ignore[no-untyped-def]
    ask(page, "What was the share price of Larkmoor last year?")
    assert page.get_by_text("Not found in the documents").is_visible()
    shot(page, "abstained")


def test_a_thumb_is_stored_and_can_be_taken_back(page, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    ask(page, QUESTION)
    up = page.get_by_role("button", name="Yes, this helped")
    up.click()
    page.get_by_text("Thank you, noted.").wait_for()
    assert not page.get_by_role("group", name="What was wrong?").is_visible()
    assert up.get_attribute("aria-pressed") == "true"
    up.click()
    page.get_by_text("Taken back.").wait_for()
    assert up.get_attribute("aria-pressed") == "false"
    wait_until(lambda: open_file(gateway).count('INSERT INTO "feedback"') >= 2)


def top_of(page, name: str) -> float:  # type: ignore[no-untyped-def]
    found: float = page.get_by_role("button", name=name).evaluate(
        "e => e.getBoundingClientRect().top + window.scrollY"
    )
    return found


def test_a_thumb_down_asks_what_was_wrong_and_moves_nothing(page, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    # An answer rises into its place, by some pixels.
    page.emulate_media(reduced_motion="reduce")
    ask(page, QUESTION)
    before = top_of(page, "No, this didn’t help")
    page.get_by_role("button", name="No, this didn’t help").click()
    page.get_by_text("You can say what was wrong.").wait_for()
    assert top_of(page, "No, this didn’t help") == before
    send = page.get_by_role("button", name="Send", exact=True)
    assert send.is_disabled(), "there is nothing to send yet"
    for name in ("Incomplete", "Out of date", "Hard to read", "Hard to read"):
        page.get_by_role("button", name=name).click()
    page.get_by_label("In your own words").fill("My letter says twelve. Call 030 1234567.")
    shot(page, "feedback")
    height = page.evaluate("document.documentElement.scrollHeight")
    send.click()
    page.get_by_text("That helps to make it better.").wait_for()
    assert page.get_by_role("button", name="Sent").is_disabled()
    assert page.evaluate("document.documentElement.scrollHeight") == height
    assert top_of(page, "No, this didn’t help") == before
    wait_until(lambda: "My letter says twelve" in open_file(gateway))
    stored = next(line for line in open_file(gateway).splitlines() if "My letter says twelve" in line)
    assert '["incomplete","out_of_date"]' in stored
    assert "1234567" not in stored
    page.get_by_role("button", name="No, this didn’t help").click()
    page.get_by_text("Taken back.").wait_for()
    assert not page.get_by_role("group", name="What was wrong?").is_visible()


def test_what_was_wrong_can_be_said_with_the_keyboard_alone(page, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    ask(page, QUESTION)
    page.get_by_role("button", name="No, this didn’t help").focus()
    page.keyboard.press("Enter")
    page.get_by_role("group", name="What was wrong?").wait_for()
    assert page.evaluate("document.activeElement.className") == "down", "the focus stays where it was"
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent || document.activeElement.tagName"))
    assert reached == ["Wrong", "Incomplete", "Out of date", "Not my question", "Hard to read", "TEXTAREA"]
    page.keyboard.type("By keyboard alone.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("That helps to make it better.").wait_for()
    wait_until(lambda: "By keyboard alone." in open_file(gateway))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_was_wrong_fits_a_phone_and_can_be_read(browser, gateway: Gateway, scheme: str) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(viewport={"width": 360, "height": 700}, color_scheme=scheme, has_touch=True)
    page = context.new_page()
    page.goto(gateway.url)
    ask(page, QUESTION)
    page.get_by_role("button", name="No, this didn’t help").tap()
    page.get_by_role("button", name="Not my question").tap()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for one in page.locator(".why button").all():
        box = one.bounding_box()
        assert box["height"] >= 44, "a finger's size"
        assert box["x"] + box["width"] <= 360
    contrasts = page.evaluate(CONTRASTS)
    assert min(contrasts) >= 4.5, contrasts
    shot(page, f"feedback-phone-{scheme}")
    context.close()


# WCAG 2.1, 1.4.3: the contrast of each text in the form with what is behind it.
CONTRASTS = """
() => [...document.querySelectorAll(".why legend, .why label, .chip, .why .send")].map((element) => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (e) => { const c = numbers(getComputedStyle(e).backgroundColor); return c[3] === 0 ? behind(e.parentElement) : c; };
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const [a, b] = [light(numbers(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
})
"""


def test_text_of_answers_is_never_markup(
    browser, start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:  # type: ignore[no-untyped-def]
    upstream.tokens = ["Express costs €9.90. [1] ", "See <img src=x onerror=alert(1)> ", "and <b>bold</b>."]
    with start_gateway(generator_url=upstream.url) as gateway:
        page = browser.new_page()
        page.goto(gateway.url)
        ask(page, "What does express delivery cost?")
        assert "<b>bold</b>" in page.locator(".answer .text").inner_text()
        assert page.locator(".answer img").count() == 0
        page.close()


def test_a_stream_can_be_stopped(browser, start_gateway: StartGateway, upstream: ScriptedUpstream) -> None:  # type: ignore[no-untyped-def]
    # A sentence is held back until the next begins, and one that comes again and again ends the answer.
    upstream.tokens = ["Express costs €9.90 [1]. ", *["and then some "] * 300]
    upstream.pause_s = 0.1
    with start_gateway(generator_url=upstream.url) as gateway:
        page = browser.new_page()
        page.goto(gateway.url)
        page.get_by_label("Your question").fill("What does express delivery cost?")
        page.keyboard.press("Enter")
        page.get_by_text("Express costs").wait_for()
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("Stopped.").wait_for()
        wait_until(lambda: upstream.cancelled == 1)
        page.close()


def test_it_fits_a_phone_and_the_dark(browser, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(viewport={"width": 360, "height": 700}, color_scheme="dark", has_touch=True)
    page = context.new_page()
    page.goto(gateway.url)
    ask(page, QUESTION)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    page.locator(".cite").first.tap()
    assert page.locator("#passage").is_visible()
    shot(page, "phone")
    context.close()


def test_the_page_asks_for_a_key_when_one_is_needed(browser, start_gateway: StartGateway) -> None:  # type: ignore[no-untyped-def]
    from service.auth import create_key
    from service.database import open_database

    with start_gateway() as gateway, gateway.client() as client:
        engine = open_database(gateway.settings.database())
        key = create_key(engine, "page", ["answer", "search"])
        engine.dispose()
        wait_until(lambda: client.get("/v1/models").status_code == 401)
        page = browser.new_page()
        page.goto(gateway.url)
        page.get_by_role("textbox", name="Key").fill(key)
        page.get_by_role("button", name="Use this key").click()
        ask(page, QUESTION)
        assert "ten recovery codes" in page.locator(".answer .text").inner_text()
        page.close()


def test_the_api_is_described_without_the_internet(browser, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    page = browser.new_page()
    page.goto(f"{gateway.url}/docs")
    page.get_by_role("heading", name="POST /v1/chat/completions").wait_for()
    assert "conversation_id?" in page.locator("main").inner_text()
    shot(page, "docs")
    page.close()


@pytest.mark.parametrize("words", ["hi", "Hello!", "Thanks, that helped.", "Danke", "merci", "gracias"])
def test_small_talk_is_no_alarm(page, words: str) -> None:  # type: ignore[no-untyped-def]
    ask(page, words)
    assert page.locator(".answer .text").inner_text() != ""
    assert page.locator(".noted, .answer .label, .answer .note").count() == 0
    assert page.get_by_role("button", name="Yes, this helped").count() == 0, "a greeting helps nobody"
    shot(page, "small-talk")


def failing(page, **reply: object) -> None:  # type: ignore[no-untyped-def]
    """Let the next question fail: with a reply, or without one."""

    def handle(route) -> None:  # type: ignore[no-untyped-def]
        route.fulfill(**reply) if reply else route.abort()

    page.route("**/v1/chat/completions", handle, times=1)


def problem(code: str, message: str) -> str:
    return json.dumps(
        {"error": {"message": message, "type": "x", "code": code, "param": None, "request_id": "r-1"}}
    )


FAILURES = {
    "away": ({}, "The service can’t be reached."),
    "limit": (
        {
            "status": 429,
            "headers": {"retry-after": "7"},
            "body": problem("rate_limit_exceeded", "120 a minute."),
        },
        "Try again in 7 seconds.",
    ),
    "starting": ({"status": 503, "body": problem("not_ready", "No index.")}, "busy or just starting"),
    "model": (
        {"status": 502, "body": problem("generator_failed", "It said 500.")},
        "The language model didn’t answer.",
    ),
    "proxy": (
        {"status": 502, "content_type": "text/html", "body": "<h1>Bad gateway</h1>"},
        "busy or just starting",
    ),
    "fault": ({"status": 500, "body": problem("internal_error", "Quote the id.")}, "Something went wrong"),
    "cut": (
        {"status": 200, "content_type": "text/event-stream", "body": ""},
        "before the answer was complete",
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_told_in_plain_words_and_the_question_is_asked_again_at_a_press(  # type: ignore[no-untyped-def]
    browser, gateway: Gateway, kind: str
) -> None:
    reply, says = FAILURES[kind]
    page = browser.new_page()
    page.goto(gateway.url)
    failing(page, **reply)
    ask(page, QUESTION)
    failed = page.locator(".answer")
    assert failed.locator(".label").inner_text() == "That didn’t work"
    assert says in failed.inner_text()
    assert page.locator(".mine").inner_text() == QUESTION
    if kind == "limit":
        failed.get_by_text("What the service said").click()
        assert "120 a minute. (request r-1)" in failed.inner_text()
        shot(page, "failed")
    failed.get_by_role("button", name="Try again").press("Enter")
    page.get_by_role("button", name="Yes, this helped").wait_for()
    assert "ten recovery codes" in page.locator(".answer .text").inner_text()
    assert page.locator(".turn").count() == 1, "it stands there once"
    page.close()


def test_the_end_of_an_answer_is_not_behind_the_form(browser, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    page = browser.new_page(viewport={"width": 360, "height": 560}, reduced_motion="reduce")
    page.goto(gateway.url)
    for question in (QUESTION, "What was the share price of Larkmoor last year?"):
        ask(page, question)
    answer = page.locator(".answer").last.bounding_box()
    assert answer["y"] + answer["height"] <= page.locator("#ask").bounding_box()["y"]
    page.close()


def bodies(page) -> list[dict[str, object]]:  # type: ignore[no-untyped-def]
    """What the page will have asked."""
    sent: list[dict[str, object]] = []
    page.on("request", lambda r: sent.append(r.post_data_json) if r.url.endswith("completions") else None)
    return sent


def test_a_new_chat_forgets_what_was_said(page) -> None:  # type: ignore[no-untyped-def]
    sent = bodies(page)
    begin = page.get_by_role("button", name="New chat")
    assert not begin.is_visible(), "there is nothing to leave"
    ask(page, QUESTION)
    ask(page, "And of batteries?")
    assert sent[1]["rag"] != {}
    begin.click()
    assert page.locator(".turn").count() == 0
    assert page.get_by_role("heading", name="Try one of these").is_visible()
    assert page.evaluate("document.activeElement.id") == "question"
    ask(page, QUESTION)
    assert sent[2]["rag"] == {}
    assert sent[2]["messages"] == [{"role": "user", "content": QUESTION}]


def test_a_new_chat_ends_the_answer_that_is_being_written(  # type: ignore[no-untyped-def]
    browser, start_gateway: StartGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tokens = ["Express costs €9.90 [1]. ", *["and then some "] * 300]
    upstream.pause_s = 0.1
    with start_gateway(generator_url=upstream.url) as gateway:
        page = browser.new_page()
        page.goto(gateway.url)
        page.get_by_label("Your question").fill("What does express delivery cost?")
        page.keyboard.press("Enter")
        page.get_by_text("Express costs").wait_for()
        page.get_by_role("button", name="New chat").click()
        assert page.locator(".turn").count() == 0
        assert page.get_by_role("button", name="Ask", exact=True).is_visible()
        wait_until(lambda: upstream.cancelled == 1)
        assert page.locator(".turn").count() == 0
        page.close()


def test_an_answer_is_copied_with_its_sources(browser, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=gateway.url)
    page = context.new_page()
    page.goto(gateway.url)
    ask(page, QUESTION)
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "ten recovery codes" in copied.split("\n\n")[0]
    assert "[1] Two-step sign-in" in copied.split("\n\n")[-1]
    context.close()


def test_a_source_with_an_address_is_a_link(  # type: ignore[no-untyped-def]
    browser, demo: Demo, start_gateway: StartGateway, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(demo.data_dir, folder)
    with start_gateway(data_dir=folder) as gateway, gateway.client() as client:
        address = "https://larkmoor.example/zeppelin?part=2"
        text = "# Zeppelin rides\n\nA ride in the Larkmoor zeppelin costs 470 euros."
        assert client.put("/v1/documents/zeppelin", json={"text": text, "url": address}).status_code == 201
        page = browser.new_page()
        page.goto(gateway.url)
        ask(page, "What does a ride in the zeppelin cost?")
        link = page.locator(".sources").get_by_role(
            "link", name="Open the source in a new tab: Zeppelin rides"
        )
        assert link.get_attribute("href") == address
        assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener noreferrer")
        shot(page, "link")
        page.locator(".cite").first.click()
        assert page.locator("#passage").get_by_role("link").get_attribute("href") == address
        page.close()


def test_of_several_assistants_one_is_picked(
    browser, start_gateway: StartGateway, patient_scope: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    scope = yaml.safe_load(patient_scope.read_text())
    scope["assistants"]["shop"] = {
        **scope["assistants"]["support"], "description": "Larkmoor shop", "examples": ["Do you ship?"],
    }  # fmt: skip
    path = tmp_path / "several.yaml"
    path.write_text(yaml.safe_dump(scope, sort_keys=False))
    with start_gateway(scope_file=path) as gateway:
        page = browser.new_page()
        sent = bodies(page)
        page.goto(gateway.url)
        ask(page, QUESTION)
        page.get_by_label("Assistant").select_option("Larkmoor shop")
        assert page.get_by_role("heading", level=1).inner_text() == "Larkmoor shop"
        assert page.locator(".turn").count() == 0
        assert page.locator("#examples").inner_text() == "Do you ship?"
        ask(page, QUESTION)
        assert [one["model"] for one in sent] == ["support", "shop"]
        assert sent[1]["rag"] == {}
        shot(page, "assistants")
        page.close()


def test_one_assistant_is_not_picked(page) -> None:  # type: ignore[no-untyped-def]
    assert not page.get_by_label("Assistant").is_visible()


@pytest.mark.parametrize(
    ("locale", "language", "label"),
    [
        ("de-AT", "de", "Ihre Frage"),
        ("es-MX", "es", "Su pregunta"),
        ("fr-CA", "fr", "Votre question"),
        ("en-GB", "en", "Your question"),
        ("ja-JP", "en", "Your question"),
    ],
)
def test_the_page_speaks_the_readers_language(
    browser, gateway: Gateway, locale: str, language: str, label: str
) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(locale=locale, viewport={"width": 360, "height": 700})
    page = context.new_page()
    page.goto(gateway.url)
    page.get_by_label(label).wait_for()
    assert page.evaluate("document.documentElement.lang") == language
    failing(page, status=503, body=problem("busy", "Full."))
    page.get_by_label(label).fill(QUESTION)
    page.keyboard.press("Enter")
    page.locator(".answer .action").click()
    page.locator(".thumbs").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.locator(".thumbs .down").click()
    if language != "en":
        english = page.evaluate("import('/page/strings.js').then((m) => Object.values(m.WORDS.en))")
        shown = page.locator("body").inner_text().splitlines()
        own = page.evaluate(f"import('/page/strings.js').then((m) => Object.values(m.WORDS.{language}))")
        assert [line for line in shown if line in english and line not in own] == []
    shot(page, f"language-{language}")
    context.close()


def test_buttons_have_names_and_a_fingers_size(browser, gateway: Gateway) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(viewport={"width": 360, "height": 700}, has_touch=True)
    page = context.new_page()
    page.goto(gateway.url)
    ask(page, QUESTION)
    for one in page.locator("button:visible:not(.cite), select:visible").all():
        name = one.evaluate(
            "e => e.getAttribute('aria-label') || e.textContent || e.labels?.[0]?.textContent"
        )
        assert name.strip()
        assert one.bounding_box()["height"] >= 44 or one.evaluate("e => !!e.closest('.sources')"), name
    context.close()
