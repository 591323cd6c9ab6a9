// The passage of a citation in its surroundings, in a dialog.

import { element, place } from "./markup.js";

const at = (id) => document.getElementById(id);

/** Show what a citation quotes, then what stands around it; `linkOf` makes the link to its source. */
export async function showPassage(citation, headers, linkOf) {
  at("passage-title").textContent = citation.title;
  at("passage-place").textContent = place({ ...citation, title: "" }) || citation.source;
  const link = linkOf(citation);
  at("passage-link").replaceChildren(...[link].filter(Boolean));
  at("passage-link").hidden = !link;
  const mark = element("mark", "", citation.quote);
  at("passage-text").replaceChildren(mark);
  at("passage").showModal();
  if (citation.kind === "curated") return at("passage-text").append(...named(citation.sources));
  try {
    const reply = await fetch(`v1/chunks/${citation.chunk_id}`, { headers });
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

at("passage-close").addEventListener("click", () => at("passage").close());
at("passage").addEventListener("click", (event) => {
  if (event.target === at("passage")) at("passage").close();
});
