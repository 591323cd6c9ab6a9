// Text with [n] markers to DOM nodes, and server-sent events to objects. No network, no state.

import { words } from "./strings.js";

const MARKER = /\s?\[(\d{1,3})\]/g;

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Fill `target` with `text`; each marker of a known citation becomes a button that calls `open`. */
export function fillAnswer(target, text, citations, open) {
  const known = new Map(citations.map((citation) => [String(citation.id), citation]));
  const nodes = [];
  let position = 0;
  for (const match of text.matchAll(MARKER)) {
    nodes.push(document.createTextNode(text.slice(position, match.index)));
    nodes.push(marker(match[1], known.get(match[1]), open));
    position = match.index + match[0].length;
  }
  nodes.push(document.createTextNode(text.slice(position)));
  target.replaceChildren(...nodes);
}

function marker(number, citation, open) {
  if (!citation) {
    const waiting = document.createElement("span");
    waiting.className = "cite";
    waiting.textContent = number;
    return waiting;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.className = "cite";
  button.textContent = number;
  button.title = citation.quote;
  button.setAttribute("aria-label", words("source", { number, place: place(citation) }));
  button.addEventListener("click", () => open(citation));
  return button;
}

/** Where a passage stands, for people: title, heading, page. A curated answer stands in no document. */
export function place(citation) {
  if (citation.kind === "curated") return words("curated");
  const parts = [citation.title, citation.heading, citation.page ? words("page", { page: citation.page }) : ""];
  return parts.filter(Boolean).join(" › ");
}

/** Objects of a stream of `data:` lines; comments and `[DONE]` are passed over. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ") && line !== "data: [DONE]") yield JSON.parse(line.slice(6));
    }
  }
}
