"""What a model writes for itself: thoughts, tokens of its chat template, tags of the passages. None of it is the answer.

A mark may come in pieces, so that what may become one waits.
"""

import re
import string

# A model that thinks aloud, as DeepSeek-R1 and Qwen3 do where the server doesn't part its thoughts from the answer.
_THOUGHT = r"think|thinking|thought|reasoning"
_OPEN = re.compile(rf"<(?:{_THOUGHT})>", re.IGNORECASE)
_CLOSE = re.compile(rf"</(?:{_THOUGHT})>", re.IGNORECASE)
_LONGEST_CLOSE = 16
# Where another turn begins, in the templates of ChatML, Llama 3, Gemma, Llama 2 and Phi. What follows is invented.
_TURN = re.compile(
    r"<[|｜](?:im_start|start_header_id|user|assistant|system)[|｜]>|<start_of_turn>|\[INST\]", re.IGNORECASE
)
_ROLES = frozenset({"system", "user", "assistant", "model"})
_CODE_PREFIX = "passage-"
# Another length than the text's own would move every place.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_WORD = re.compile(r"\w*")
_LONGEST_ROLE = 9
_TOKEN = re.compile(
    r"<[|｜][^<>|｜\s]{1,40}[|｜]>|</?s>|\[/INST\]|<</?SYS>>|<(?:end_of_turn|bos|eos|pad|unk|eot|sep)>"
)
_TAG = re.compile(
    r"[<‹]/?passage(?:-[0-9A-Za-z]{1,16})?(?:\s{1,3}number\s?=\s?[\"']?\d{0,4}[\"']?)?\s?/?[>›]"
)
_MARK = re.compile(
    "|".join(f"(?:{mark.pattern})" for mark in (_OPEN, _CLOSE, _TURN, _TAG, _TOKEN)), re.IGNORECASE
)
# A mark may begin here and end in the next piece.
_BEGUN = re.compile(r"(?:[<‹][/<|｜]{0,2}(?:\w[^<>‹›\n]{0,60})?|<</?[Ss][Yy][Ss]>|\[(?:/?I?N?S?T?)?)\Z")
# What is left of one when the text is over: never the end of a sentence.
_CUT = re.compile(
    r"(?:<[|｜][^\s<>]*|<</?SY?S?>?|[<‹]/?passage[^<>]*|</?(?:t(?:h(?:i(?:nk?)?)?)?)?|\[/?INST?)\Z",
    re.IGNORECASE,
)


class Cleaner:
    """Feed it what a model writes, get back what it says. `nonce` is the code of the passages' tags.

    `may_think`: the server's template was seen to open the thoughts, so that the text may begin within them; all of it
    waits for their end, and is the answer where there is none.
    """

    def __init__(self, nonce: str | None = None, *, may_think: bool = False) -> None:
        self._nonce = (nonce or "").lower()
        self._code = f"{_CODE_PREFIX}{nonce}" if nonce else ""
        self._in_thought = False
        self._may_think = may_think
        self._held = ""
        self._has_said = self._role_is_due = self._line_is_due = False
        self.has_ended = False
        self.is_void = False

    def feed(self, text: str) -> str:
        """What can be said now. After that, `has_ended` tells that the model began another turn, and `is_void` that
        everything said before was a thought, whose beginning no tag had told."""
        if self.has_ended:
            return ""
        begun = max(0, len(self._held) - _LONGEST_CLOSE)
        self._held += text
        if self._may_think and not self._passed_thought(begun):
            return ""
        out = self._said_so_far()
        if not self._has_said:
            out = out.lstrip()
            self._has_said = bool(out)
        return out

    def close(self) -> str:
        """The rest; half a mark is none of it, and neither is a thought without an end."""
        out = ""
        if self._may_think:
            self._may_think = False
            out = self.feed("")
        held, self._held = self._held, ""
        if self._in_thought or self.has_ended:
            return out
        rest = _CUT.sub("", held)
        while (mark := self._next_mark(rest)) is not None:
            out, rest = out + rest[: mark[0]], rest[mark[1] :]
        return out + rest

    def _said_so_far(self) -> str:
        out: list[str] = []
        while True:
            if self._in_thought:
                end = _CLOSE.search(self._held)
                if end is None:
                    self._held = self._held[-_LONGEST_CLOSE:]
                    return "".join(out)
                self._held, self._in_thought = self._held[end.end() :], False
                self._line_is_due = True
            if self._line_is_due and not self._passed_lines():
                return "".join(out)
            if self._role_is_due and not self._passed_role():
                return "".join(out)
            begun = self._begun(self._held)
            found = self._next_mark(self._held)
            if found is None or begun < found[0]:
                break
            out.append(self._held[: found[0]])
            mark, self._held = self._held[found[0] : found[1]], self._held[found[1] :]
            self._met(mark, out)
            if self.has_ended:
                return "".join(out)
        out.append(self._held[:begun])
        self._held = self._held[begun:]
        return "".join(out)

    def _passed_thought(self, begun: int) -> bool:
        """Whether the end of the thoughts has come, which is looked for from `begun`."""
        end = _CLOSE.search(self._held, begun)
        if end is None:
            return False
        self._held, self._may_think = self._held[end.end() :], False
        return True

    def _passed_lines(self) -> bool:
        """Whether the empty lines behind a thought have come whole; they belong to it."""
        self._held = self._held.lstrip("\n")
        self._line_is_due = not self._held
        return bool(self._held)

    def _passed_role(self) -> bool:
        """Whether the word behind the begin of a turn has come whole; a role is no part of the answer."""
        word = _WORD.match(self._held)
        assert word is not None
        if word.end() == len(self._held) and word.end() <= _LONGEST_ROLE:
            return False
        if word[0].lower() in _ROLES:
            self._held = self._held[word.end() :]
        self._role_is_due = False
        return True

    def _met(self, mark: str, out: list[str]) -> None:
        """A mark, and what was said in front of it."""
        if _OPEN.fullmatch(mark):
            self._in_thought = True
        elif _CLOSE.fullmatch(mark):
            out.clear()
            self.is_void, self._has_said = True, False
        elif _TURN.fullmatch(mark):
            self._role_is_due = True
            if self._has_said or "".join(out).strip():
                self.has_ended, self._held = True, ""

    def _next_mark(self, text: str) -> tuple[int, int] | None:
        """Where the first mark begins and ends; the code of the passages is one wherever it stands."""
        found = _MARK.search(text)
        code = text.translate(_LOWER).find(self._nonce) if self._nonce else -1
        if code < 0 or (found is not None and found.start() < code - len(_CODE_PREFIX)):
            return found and found.span()
        start = code - len(_CODE_PREFIX)
        start = start if start >= 0 and text[start:code].translate(_LOWER) == _CODE_PREFIX else code
        if found is not None and found.start() < start:
            return found.span()
        return start, code + len(self._nonce)

    def _begun(self, text: str) -> int:
        """Where a mark may begin that isn't whole."""
        begun = _BEGUN.search(text, max(0, len(text) - 80))
        cut = begun.start() if begun else len(text)
        for code in (self._code, self._code.removeprefix(_CODE_PREFIX)):
            longest = min(len(code) - 1, len(text))
            held = next((n for n in range(longest, 0, -1) if text.endswith(code[:n])), 0)
            cut = min(cut, len(text) - held)
        return cut


def cleaned(text: str, nonce: str | None) -> str:
    """What a whole text says."""
    cleaner = Cleaner(nonce)
    return cleaner.feed(text) + cleaner.close()
