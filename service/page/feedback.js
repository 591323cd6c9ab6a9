// A thumb, and after a thumb down what was wrong: reasons and a comment. Knows no network: `post` sends, `say` tells.

import { element } from "./markup.js";
import { plainWords } from "./problems.js";
import { words } from "./strings.js";

const REASONS = [
  ["wrong", "wrong"],
  ["incomplete", "incomplete"],
  ["out_of_date", "outOfDate"],
  ["not_my_question", "notMyQuestion"],
  ["hard_to_read", "hardToRead"],
];

const notStored = (problem) => (problem?.code === "rate_limit_exceeded" ? plainWords(problem) : words("notStored"));

/** A drawn hand: not every machine has a font with one. */
function hand() {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", "M4 10h3v10H4zM9 20V9.6L12.6 4c1.5 0 2.3 1 2 2.4L14 10h4.6c1.3 0 2.1 1.1 1.8 2.3l-1.5 6.2c-.2.9-1 1.5-1.9 1.5z");
  picture.append(path);
  return picture;
}

function toggle(className, label) {
  const button = element("button", className);
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  if (label) button.textContent = label;
  return button;
}

const isOn = (button) => button.getAttribute("aria-pressed") === "true";

/** The thumbs, and the form that a thumb down opens: two elements to stand below each other. */
export function thumbs(post, say) {
  const box = element("div", "thumbs");
  const why = form(post, say);
  const buttons = [["up", "helpedYes"], ["down", "helpedNo"]].map(([value, label]) => {
    const button = toggle(value);
    button.append(hand());
    button.setAttribute("aria-label", words(label));
    button.addEventListener("click", () => rate(value, button));
    return button;
  });
  async function rate(value, button) {
    const wasOn = isOn(button);
    try {
      await post({ kind: "thumb", value: wasOn ? null : value });
    } catch (problem) {
      say(notStored(problem));
      return;
    }
    for (const one of buttons) one.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(!wasOn));
    const isDown = value === "down" && !wasOn;
    why.hidden = !isDown;
    if (isDown) why.scrollIntoView({ block: "nearest" });
    say(words(wasOn ? "takenBack" : isDown ? "noted" : "thanks"));
  }
  box.append(element("span", "", words("helped")), ...buttons);
  return [box, why];
}

/** Reasons and a comment. It stays as it is when it was sent, so that nothing below it moves. */
function form(post, say) {
  const why = element("form", "why");
  why.hidden = true;
  const group = element("fieldset");
  group.append(element("legend", "", words("whatWasWrong")));
  const send = element("button", "send", words("send"));
  send.disabled = true;
  const chips = REASONS.map(([code, label]) => {
    const chip = toggle("chip", words(label));
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(!isOn(chip)));
      changed();
    });
    return [code, chip];
  });
  group.append(...chips.map(([, chip]) => chip));
  const label = element("label", "", words("comment"));
  const comment = element("textarea");
  comment.rows = 2;
  comment.maxLength = 4000;
  comment.addEventListener("input", changed);
  label.append(comment);
  why.append(group, label, send);
  function changed() {
    const hasReason = chips.some(([, chip]) => isOn(chip));
    send.disabled = !hasReason && !comment.value.trim();
    send.textContent = words("send");
  }
  why.addEventListener("submit", async (event) => {
    event.preventDefault();
    const reasons = chips.filter(([, chip]) => isOn(chip)).map(([code]) => code);
    const said = comment.value.trim();
    send.disabled = true;
    try {
      await post({ kind: "thumb", value: "down", reasons, ...(said ? { comment: said } : {}) });
      send.textContent = words("sent");
      say(words("thanksAgain"));
    } catch (problem) {
      changed();
      say(notStored(problem));
    }
  });
  return why;
}
