// What stands below an answer: its sources with their addresses, and the text to copy. Knows no network.

import { element, place } from "./markup.js";
import { words } from "./strings.js";

const WEB = /^https?:\/\//i;

/** The address of a citation's source, where it is one that a browser opens. */
const addressOf = (citation) => (WEB.test(citation.source ?? "") ? citation.source : "");

/** A link to the source of a citation, or null. */
export function sourceLink(citation) {
  const address = addressOf(citation);
  if (!address) return null;
  const link = element("a", "open", words("openSource"));
  link.setAttribute("aria-label", words("openSourceOf", { title: citation.title }));
  return Object.assign(link, { href: address, target: "_blank", rel: "noopener noreferrer" });
}

/** The list of sources; each opens its passage by `show`, and its page by a link. */
export function sources(citations, show) {
  const list = element("ul", "sources");
  list.setAttribute("aria-label", words("sources"));
  for (const citation of citations) {
    const button = element("button");
    button.type = "button";
    button.append(element("span", "n", String(citation.id)), element("span", "place", place(citation)));
    button.addEventListener("click", () => show(citation));
    const item = element("li");
    item.append(button, ...[sourceLink(citation)].filter(Boolean));
    list.append(item);
  }
  return list;
}

/** An answer as text, with its sources below it. */
export function answerText(said, citations) {
  const lines = citations.map((one) => `[${one.id}] ${[place(one), addressOf(one)].filter(Boolean).join(" – ")}`);
  return [said.trim(), lines.join("\n")].filter(Boolean).join("\n\n");
}

/** Copy a text; false where the browser refuses. Its clipboard is for safe origins alone, so that the old way is there too. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", "hidden-label", text);
    field.value = text;
    document.body.append(field);
    field.select();
    const isDone = document.execCommand("copy");
    field.remove();
    return isDone;
  }
}
