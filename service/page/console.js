// The pages for analysts: the list of experiments, and the report on one. The key lives in this tab and nowhere else.

const at = (id) => document.getElementById(id);
const base = document.body.dataset.base;
const STATES = { ab: ["running", "good"], canary: ["canary", "good"], shadow: ["shadow", "good"], paused: ["paused", "look"] };
const STAGES = { shadow: "shadow", canary: "canary", ab: "A/B" };
const FORMATS = ["csv", "parquet", "json", "html"];

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Ask the service with the tab's key. Where that isn't enough, ask for another one and try again. */
async function ask(path) {
  for (;;) {
    const key = sessionStorage.getItem("touchstone-key");
    const reply = await fetch(base + path, { headers: key ? { authorization: `Bearer ${key}` } : {} });
    if (reply.ok) return reply;
    const problem = (await reply.json()).error;
    if (!["invalid_api_key", "insufficient_scope"].includes(problem.code)) throw problem;
    if (!(await newKey(key ? problem.message : ""))) throw problem;
  }
}

/** Let the reader give a key; false when none was given. */
function newKey(why) {
  const dialog = at("key");
  say(why, Boolean(why));
  at("key-value").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener(
      "close",
      () => {
        const value = at("key-value").value.trim();
        if (value) sessionStorage.setItem("touchstone-key", value);
        say(value ? "Reading…" : "");
        done(Boolean(value));
      },
      { once: true },
    );
  });
}

function say(words, isFailure = false) {
  at("status").textContent = words;
  at("status").classList.toggle("failed", isFailure);
}

function day(text) {
  const options = { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" };
  return text ? new Intl.DateTimeFormat("en-GB", options).format(new Date(text)) : "–";
}

// The list

async function list() {
  const { data } = await (await ask("v1/experiments")).json();
  const rows = data.map((one) => [row(one), `${one.name} ${one.hypothesis}`.toLowerCase()]);
  at("experiments").tBodies[0].append(...rows.map(([made]) => made));
  at("experiments").hidden = data.length === 0;
  const count = () => rows.filter(([made]) => !made.hidden).length;
  const told = () => say(data.length ? `${count()} of ${data.length}` : "No experiment is declared yet.");
  at("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const [made, text] of rows) made.hidden = !text.includes(wanted);
    told();
  });
  told();
}

function row(one) {
  const made = element("tr");
  const name = element("th");
  name.scope = "row";
  if (one.state === "declared") name.append(element("span", "", one.name));
  else {
    const link = element("a", "", one.name);
    link.href = `experiments/${encodeURIComponent(one.name)}`;
    name.append(link);
  }
  name.append(element("small", "", one.hypothesis));
  const [word, tone] = STATES[one.state] ?? [one.state, "plain"];
  const state = cell("state", element("span", `state ${tone}`, word));
  made.append(name, state, cell("primary metric", one.primary), cell("started", day(one.started_at)), cell("planned end", day(one.ends)));
  return made;
}

function cell(label, content) {
  const made = element("td");
  made.dataset.label = label;
  made.append(content);
  return made;
}

// The report

const name = () => decodeURIComponent(location.pathname.split("/").pop());
const results = (query) => `v1/experiments/${encodeURIComponent(name())}/results?${query}`;

async function report() {
  document.title = `${name()}: report`;
  const asked = new URLSearchParams(location.search);
  const query = new URLSearchParams({ format: "html" });
  for (const key of ["stage", "as_of"]) if (asked.get(key)) query.set(key, asked.get(key));
  const text = await (await ask(results(query))).text();
  // The file's own style is left out: this page has it already, and its policy allows none within.
  const plain = text.replace(/<style>[^]*?<\/style>/, "");
  const shown = new DOMParser().parseFromString(plain, "text/html").querySelector("main");
  // The service escapes what people wrote; whatever could run or load is dropped all the same.
  for (const one of shown.querySelectorAll("script, style, link, iframe, object, embed, form")) one.remove();
  shown.id = "report";
  at("report").replaceWith(document.adoptNode(shown));
  stages(shown.dataset.stages.split(" "), shown.dataset.stage);
  files(shown.dataset.stage, shown.dataset.until);
  say("");
}

function stages(known, current) {
  const links = Object.keys(STAGES).filter((stage) => known.includes(stage));
  if (links.length < 2) return;
  at("stages").append("stage", ...links.map((stage) => stageLink(stage, stage === current)));
}

function stageLink(stage, isCurrent) {
  const link = element("a", "stage", STAGES[stage]);
  const query = new URLSearchParams(location.search);
  query.set("stage", stage);
  link.href = `?${query}`;
  if (isCurrent) link.setAttribute("aria-current", "page");
  return link;
}

/** Buttons, because a link can't carry the key. The files hold what the page shows: the same stage, the same moment. */
function files(stage, until) {
  const buttons = FORMATS.map((format) => {
    const button = element("button", "", format === "html" ? "HTML" : format === "parquet" ? "Parquet" : format.toUpperCase());
    button.type = "button";
    button.addEventListener("click", () => save(format, stage, until).catch(fail));
    return button;
  });
  at("files").append("download", ...buttons);
}

async function save(format, stage, until) {
  const reply = await ask(results(new URLSearchParams({ format, stage, as_of: until })));
  const link = element("a");
  link.href = URL.createObjectURL(await reply.blob());
  link.download = `${name()}-${stage}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function fail(problem) {
  const id = problem?.request_id ? ` (request ${problem.request_id})` : "";
  say(`${problem?.message ?? "The service can’t be reached. Reload the page to try again."}${id}`, true);
  at("report")?.removeAttribute("aria-busy");
}

(at("list") ? list() : report()).catch(fail);
