// What went wrong, in plain words, with what the service itself said behind a fold. Knows no network.

import { element } from "./markup.js";
import { words } from "./strings.js";

const BY_CODE = {
  rate_limit_exceeded: "limited",
  busy: "busy",
  not_ready: "busy",
  stopping: "busy",
  generator_failed: "generator",
  generator_interrupted: "ended",
  invalid_api_key: "noKey",
  insufficient_scope: "noRight",
  request_too_large: "tooLong",
  context_length_exceeded: "tooLong",
  invalid_request: "invalid",
  incomplete: "ended",
};
const DEFAULT_WAIT_S = 10;

/** The problem of a reply that isn't a success, also where something before the service answered without JSON. */
export async function problemOf(reply) {
  const body = await reply.json().catch(() => null);
  const problem = body?.error ?? { message: `HTTP ${reply.status}` };
  return { ...problem, status: reply.status, wait: Number(reply.headers.get("retry-after")) || DEFAULT_WAIT_S };
}

/** What to tell a person. What a browser throws when nobody answers is a `TypeError`. */
export function plainWords(problem) {
  if (problem instanceof TypeError) return words("unreachable");
  const isAway = [502, 503, 504].includes(problem?.status);
  return words(BY_CODE[problem?.code] ?? (isAway ? "busy" : "unknown"), { seconds: problem?.wait ?? DEFAULT_WAIT_S });
}

/** The words for a person, a button that tries again, and what the service said. */
export function problemBox(problem, retry) {
  const again = element("button", "action", words("retry"));
  again.type = "button";
  again.addEventListener("click", retry);
  const shown = [element("p", "", plainWords(problem)), again];
  if (problem?.message && !(problem instanceof TypeError)) shown.push(details(problem));
  return shown;
}

function details(problem) {
  const fold = element("details", "note");
  const id = problem.request_id ? ` (${words("request", { id: problem.request_id })})` : "";
  fold.append(element("summary", "", words("details")), element("p", "", `${problem.message}${id}`));
  return fold;
}
