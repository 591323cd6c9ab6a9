// The page: ask, stream, look at a source, give a thumb. State lives in this tab and nowhere else.

import { thumbs } from "./feedback.js";
import { element, events, fillAnswer, place } from "./markup.js";

const at = (id) => document.getElementById(id);
const history = [];
let config = { assistant: "", examples: [], needs_key: false };
let conversation = null;
let running = null;

function headers() {
  const key = sessionStorage.getItem("touchstone-key");
  return { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) };
}

async function begin() {
  config = await (await fetch("page-config")).json();
  if (config.description) {
    at("title").textContent = config.description;
    document.title = config.description;
  }
  for (const example of config.examples) {
    const button = element("button", "", example);
    button.type = "button";
    button.addEventListener("click", () => ask(example));
    const item = element("li");
    item.append(button);
    at("examples").append(item);
  }
  at("welcome").hidden = config.examples.length === 0;
  if (config.needs_key && !sessionStorage.getItem("touchstone-key")) at("key").showModal();
}

async function ask(question) {
  if (running) return;
  at("welcome").hidden = true;
  const turn = element("article", "turn");
  turn.append(element("p", "mine", question));
  const answer = element("div", "answer");
  answer.setAttribute("aria-busy", "true");
  const text = element("p", "text");
  answer.append(text);
  turn.append(answer);
  at("log").append(turn);
  turn.scrollIntoView({ block: "end" });
  history.push({ role: "user", content: question });
  busy(true, "Looking in the documents…");
  try {
    const end = await stream(text);
    finish(answer, text, end);
  } catch (problem) {
    fail(answer, text, problem);
  }
  answer.removeAttribute("aria-busy");
  busy(false, "");
  turn.scrollIntoView({ block: "end" });
}

async function stream(text) {
  running = new AbortController();
  const reply = await fetch("v1/chat/completions", {
    method: "POST",
    headers: headers(),
    signal: running.signal,
    body: JSON.stringify({
      model: config.assistant,
      messages: history.slice(-12),
      stream: true,
      rag: conversation ? { conversation_id: conversation } : {},
    }),
  });
  if (!reply.ok) throw (await reply.json()).error;
  let said = "";
  let rag = null;
  for await (const event of events(reply.body)) {
    if (event.error) throw event.error;
    said += event.choices[0]?.delta?.content ?? "";
    rag = event.rag ?? rag;
    if (said) fillAnswer(text, said, [], show);
  }
  if (!rag) throw { message: "The connection ended before the answer was complete." };
  return { said, rag };
}

function finish(answer, text, { said, rag }) {
  history.push({ role: "assistant", content: said });
  conversation = rag.conversation_id;
  fillAnswer(text, said, rag.citations, show);
  if (rag.outcome === "abstained") {
    answer.classList.add("abstained");
    answer.prepend(element("p", "label", "The documents don’t say"));
  }
  if (rag.degraded) {
    answer.append(element("p", "note", "The language model is away: these are sentences of the documents."));
  }
  if (rag.outcome === "answered" && rag.citations.length === 0) {
    answer.classList.add("failed");
    answer.prepend(element("p", "label", "No passage supports this answer"));
  }
  if (rag.citations.length) answer.append(sources(rag.citations));
  if (rag.feedback_token) answer.append(...thumbs((body) => rate(rag, body), (text) => { at("status").textContent = text; }));
}

function fail(answer, text, problem) {
  if (problem?.name === "AbortError") {
    answer.append(element("p", "note", "Stopped."));
    history.push({ role: "assistant", content: text.textContent || "(stopped)" });
    return;
  }
  history.pop();
  answer.classList.add("failed");
  answer.prepend(element("p", "label", "That didn’t work"));
  const id = problem?.request_id ? ` (request ${problem.request_id})` : "";
  answer.append(element("p", "note", `${problem?.message ?? "The service can’t be reached."}${id}`));
  if (problem?.code === "invalid_api_key") at("key").showModal();
}

function sources(citations) {
  const list = element("ul", "sources");
  list.setAttribute("aria-label", "Sources");
  for (const citation of citations) {
    const button = element("button");
    button.type = "button";
    const where = element("span", "place", place(citation));
    button.append(element("span", "n", String(citation.id)), where);
    button.addEventListener("click", () => show(citation));
    const item = element("li");
    item.append(button);
    list.append(item);
  }
  return list;
}

/** Post feedback on an answer; throws what the service says. */
async function rate(rag, body) {
  const reply = await fetch("v1/feedback", {
    method: "POST",
    headers: { ...headers(), "idempotency-key": crypto.randomUUID?.() ?? `${Date.now()}${Math.random()}` },
    body: JSON.stringify({ answer_id: rag.answer_id, token: rag.feedback_token, ...body }),
  });
  if (!reply.ok) throw (await reply.json()).error;
}

async function show(citation) {
  at("passage-title").textContent = citation.title;
  at("passage-place").textContent = place({ ...citation, title: "" }) || citation.source;
  const mark = element("mark", "", citation.quote);
  at("passage-text").replaceChildren(mark);
  at("passage").showModal();
  if (citation.kind === "curated") return at("passage-text").append(...named(citation.sources));
  try {
    const reply = await fetch(`v1/chunks/${citation.chunk_id}`, { headers: headers() });
    if (!reply.ok) return;
    const whole = await reply.json();
    const letters = [...whole.text]; // offsets count characters, not UTF-16 units
    at("passage-text").replaceChildren(
      element("span", "around", whole.before),
      letters.slice(0, citation.start - whole.start).join(""),
      mark,
      letters.slice(citation.end - whole.start).join(""),
      element("span", "around", whole.after),
    );
    mark.scrollIntoView({ block: "center" });
  } catch {
    // The quote is there already; its surroundings can't be fetched just now.
  }
}

/** What the author of a curated answer named as its sources. */
function named(sources) {
  return sources.map((source) => {
    const line = element(source.url ? "a" : "span", "named", source.title);
    if (source.url) Object.assign(line, { href: source.url, target: "_blank", rel: "noopener noreferrer" });
    return line;
  });
}

function busy(isBusy, status) {
  at("send").hidden = isBusy;
  at("stop").hidden = !isBusy;
  at("status").textContent = status;
  if (!isBusy) {
    running = null;
    at("question").focus({ preventScroll: true });
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = at("question").value.trim();
  if (!question || running) return;
  at("question").value = "";
  ask(question);
});
at("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at("ask").requestSubmit();
  }
});
at("stop").addEventListener("click", () => running?.abort());
at("passage-close").addEventListener("click", () => at("passage").close());
at("passage").addEventListener("click", (event) => {
  if (event.target === at("passage")) at("passage").close();
});
at("key").addEventListener("close", () => {
  const value = at("key-value").value.trim();
  if (value) sessionStorage.setItem("touchstone-key", value);
});
begin().catch(() => {
  at("status").textContent = "The service can’t be reached. Reload the page to try again.";
});
