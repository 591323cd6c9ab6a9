// The page: ask, stream, try again, look at a source, copy, give a thumb. State lives in this tab and nowhere else.

import { answerText, copyText, sourceLink, sources } from "./answers.js";
import { thumbs } from "./feedback.js";
import { element, events, fillAnswer } from "./markup.js";
import { showPassage } from "./passage.js";
import { problemBox, problemOf } from "./problems.js";
import { translate, words } from "./strings.js";

const at = (id) => document.getElementById(id);
let assistants = [];
let history = [];
let conversation = null;
let running = null;
let retryWithKey = null;
let ready = null;

function headers() {
  const key = sessionStorage.getItem("touchstone-key");
  return { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) };
}

const say = (text) => { at("status").textContent = text; };
const chosen = () => assistants[at("assistant").selectedIndex] ?? assistants[0];

async function begin() {
  const config = await (await fetch("page-config", { headers: headers() })).json();
  assistants = config.assistants;
  at("assistant").replaceChildren(...assistants.map((one) => new Option(one.description || one.name, one.name)));
  at("picker").hidden = assistants.length < 2;
  welcome();
  return config.needs_key && !sessionStorage.getItem("touchstone-key");
}

/** Whether the page knows its assistants; who asks at once waits for them, and keeps the question where they can't be had. */
async function isReady() {
  const known = await ready.then(() => true, () => false);
  if (!known) ready = begin();
  return known || ready.then(() => true, () => { say(words("unreachable")); return false; });
}

/** An empty conversation with the chosen assistant, and the questions that it offers. */
function welcome() {
  const { description, examples } = chosen();
  history = [];
  conversation = null;
  at("log").replaceChildren();
  at("new-chat").hidden = true;
  at("title").textContent = description || "Touchstone";
  document.title = description || "Touchstone";
  at("examples").replaceChildren(...examples.map(exampleItem));
  at("welcome").hidden = examples.length === 0;
}

function exampleItem(example) {
  const button = element("button", "", example);
  button.type = "button";
  button.addEventListener("click", () => ask(example));
  const item = element("li");
  item.append(button);
  return item;
}

async function ask(question) {
  if (running) return;
  running = new AbortController();
  at("welcome").hidden = true;
  at("new-chat").hidden = false;
  const turn = element("article", "turn");
  const answer = element("div", "answer");
  const text = element("p", "text");
  text.dataset.waiting = words("waiting");
  answer.setAttribute("aria-busy", "true");
  answer.append(text);
  turn.append(element("p", "mine", question), answer);
  at("log").append(turn);
  turn.scrollIntoView({ block: "end" });
  busy(true, words("waiting"));
  const { signal } = running;
  const asked = [...history, { role: "user", content: question }];
  let told = "";
  try {
    const end = await stream(asked, text, signal);
    if (!turn.isConnected) return; // a new chat began meanwhile
    history = [...asked, { role: "assistant", content: end.said }];
    finish(answer, text, end);
    told = words("answered");
  } catch (problem) {
    if (!turn.isConnected) return;
    if (problem?.name === "AbortError") {
      history = [...asked, { role: "assistant", content: text.textContent || "(stopped)" }];
      answer.append(element("p", "note", words("stopped")));
    } else fail(turn, answer, question, problem);
  }
  answer.removeAttribute("aria-busy");
  busy(false, "", told);
  turn.scrollIntoView({ block: "end" });
}

async function stream(messages, text, signal) {
  const body = {
    model: chosen().name,
    messages: messages.slice(-13),
    stream: true,
    rag: conversation ? { conversation_id: conversation } : {},
  };
  const reply = await fetch("v1/chat/completions", { method: "POST", headers: headers(), signal, body: JSON.stringify(body) });
  if (!reply.ok) throw await problemOf(reply);
  let said = "";
  let rag = null;
  let isCut = false;
  for await (const event of events(reply.body)) {
    if (event.error) throw event.error;
    said += event.choices[0]?.delta?.content ?? "";
    isCut ||= event.choices[0]?.finish_reason === "length";
    rag = event.rag ?? rag;
    if (said) fillAnswer(text, said, [], show);
  }
  if (!rag) throw { code: "incomplete" };
  return { said, rag, isCut };
}

function finish(answer, text, { said, rag, isCut }) {
  conversation = rag.conversation_id;
  fillAnswer(text, said, rag.citations, show);
  const label = labelOf(rag);
  if (label) {
    answer.classList.add("noted");
    answer.prepend(element("p", "label", words(label)));
  }
  for (const note of notesOf(rag, isCut)) answer.append(element("p", "note", words(note)));
  if (rag.citations.length) answer.append(sources(rag.citations, show));
  if (rag.reason === "small_talk") return;
  const rated = rag.feedback_token ? thumbs((body) => rate(rag, body), say) : [];
  const actions = element("div", "actions");
  actions.append(copyButton(said, rag.citations), ...rated.slice(0, 1));
  answer.append(actions, ...rated.slice(1));
}

/** What is said above an answer that isn't one, or that nothing supports. A greeting needs no source. */
function labelOf(rag) {
  if (rag.outcome === "abstained") return "abstained";
  const isBare = rag.outcome === "answered" && rag.citations.length === 0;
  return isBare && rag.reason !== "small_talk" ? "unsupported" : "";
}

function notesOf(rag, isCut) {
  const isPartly = rag.outcome === "answered" && rag.citations.length > 0 && rag.sentences.some((one) => !one.supported);
  return [isPartly && "partly", rag.degraded && "degraded", isCut && "cut"].filter(Boolean);
}

function copyButton(said, citations) {
  const button = element("button", "action", words("copy"));
  button.type = "button";
  button.addEventListener("click", async () => {
    say(words((await copyText(answerText(said, citations))) ? "copied" : "notCopied"));
  });
  return button;
}

/** The question stays where it is until it is asked again. */
function fail(turn, answer, question, problem) {
  const retry = () => {
    if (running) return;
    turn.remove();
    ask(question);
  };
  answer.classList.add("noted");
  answer.prepend(element("p", "label", words("failed")));
  answer.append(...problemBox(problem, retry));
  if (["invalid_api_key", "insufficient_scope"].includes(problem?.code)) askForKey(retry);
}

function askForKey(then) {
  retryWithKey = then;
  at("key-value").value = "";
  at("key").showModal();
}

/** Post feedback on an answer; throws what the service says. */
async function rate(rag, body) {
  const reply = await fetch("v1/feedback", {
    method: "POST",
    headers: { ...headers(), "idempotency-key": crypto.randomUUID?.() ?? `${Date.now()}${Math.random()}` },
    body: JSON.stringify({ answer_id: rag.answer_id, token: rag.feedback_token, ...body }),
  });
  if (!reply.ok) throw await problemOf(reply);
}

const show = (citation) => showPassage(citation, headers(), sourceLink);

/** `status` is shown; `told` is for who can't see that an answer is there. */
function busy(isBusy, status, told = "") {
  at("send").hidden = isBusy;
  at("stop").hidden = !isBusy;
  at("log").ariaBusy = isBusy ? "true" : null;
  say(status);
  at("told").textContent = told;
  if (isBusy) return;
  running = null;
  at("question").focus({ preventScroll: true });
}

function newChat() {
  running?.abort();
  welcome();
  busy(false, words("begun"));
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!(await isReady())) return;
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
at("new-chat").addEventListener("click", newChat);
at("assistant").addEventListener("change", newChat);
at("key").addEventListener("close", async () => {
  const value = at("key-value").value.trim();
  if (!value) return;
  sessionStorage.setItem("touchstone-key", value);
  if (retryWithKey) retryWithKey();
  else await begin().catch(() => say(words("unreachable")));
  retryWithKey = null;
});

translate();
ready = begin();
ready.then((needsKey) => { if (needsKey) askForKey(null); }, () => say(words("unreachable")));
