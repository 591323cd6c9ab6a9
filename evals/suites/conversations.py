"""Conversations: is a follow-up made whole, is it answered, and is one declined that the documents don't answer?"""

from collections.abc import Sequence

from evals.conversation import Conversation, load_conversations
from evals.harness import Answered, answer_all
from evals.metrics import Figure, share
from evals.suites.context import Context
from service.answer.request import RawMessage
from service.answer.rewrite import Said, made_whole
from service.guard.texts import RawText

Pairs = Sequence[tuple[Conversation, Answered]]


def measure(context: Context) -> dict[str, Figure]:
    """`whole` by language; `false`, `recall` and `contains` over all and over those that the rules were not made on.

    `false` are answerable questions that abstained, `recall` unanswerable ones that did; an abstention counts as a miss of
    `contains`.
    """
    every = load_conversations()
    figures = {
        f"conversations.whole.{language}": share(
            [_is_whole(one) for one in every if one.language == language]
        )
        for language in sorted({one.language for one in every})
    }
    asked = [one for one in every if one.answerable is not None]
    answered = answer_all(
        context.scope, context.assistant, context.demo, context.embedder, [_messages(one) for one in asked]
    )
    pairs = list(zip(asked, answered, strict=True))
    held_out = [pair for pair in pairs if pair[0].part == "held_out"]
    return figures | _figures("conversations", pairs) | _figures("conversations.held_out", held_out)


def _is_whole(one: Conversation) -> bool:
    history = [Said(role, text) for role, text in one.messages[:-1]]
    return one.is_whole(made_whole(one.question, history).text)


def _messages(one: Conversation) -> list[RawMessage]:
    return [
        RawMessage("user" if role == "user" else "assistant", RawText(text)) for role, text in one.messages
    ]


def _figures(name: str, pairs: Pairs) -> dict[str, Figure]:
    answerable = [(one, answered) for one, answered in pairs if one.answerable]
    others = [(one, answered) for one, answered in pairs if not one.answerable]
    return {
        f"{name}.contains": share([_contains(one, answered) for one, answered in answerable]),
        f"{name}.abstention.false": share([_abstained(answered) for _, answered in answerable]),
        f"{name}.abstention.recall": share([_abstained(answered) for _, answered in others]),
    }


def _contains(one: Conversation, answered: Answered) -> bool:
    text = " ".join(answered.reply.text.split()).casefold()
    return any(answer.casefold() in text for answer in one.answers)


def _abstained(answered: Answered) -> bool:
    return bool(answered.reply.rag["outcome"] == "abstained")
