"""What an assistant says of itself: one text, or one for each language that people ask in."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Text = Annotated[str, Field(min_length=1)]
Reply = Text | Annotated[dict[Language, Text], Field(min_length=1)]

REFUSE: Mapping[str, str] = {
    "en": "I can't help with that. Ask me about something in the documents.",
    "de": "Dabei kann ich nicht helfen. Fragen Sie mich nach etwas aus den Dokumenten.",
    "es": "No puedo ayudar con eso. Pregúnteme por algo de los documentos.",
    "fr": "Je ne peux pas vous aider pour cela. Posez-moi une question sur les documents.",
    "it": "Non posso aiutarla in questo. Mi chieda qualcosa sui documenti.",
    "pt": "Não posso ajudar com isso. Pergunte-me sobre algo dos documentos.",
    "nl": "Daar kan ik niet bij helpen. Vraag me iets over de documenten.",
    "sv": "Det kan jag inte hjälpa till med. Fråga mig om något i dokumenten.",
    "pl": "W tym nie mogę pomóc. Proszę zapytać o coś z dokumentów.",
    "tr": "Bu konuda yardımcı olamam. Bana belgelerle ilgili bir şey sorun.",
    "ru": "С этим я не могу помочь. Спросите о чём-нибудь из документов.",
    "ar": "لا أستطيع المساعدة في ذلك. اسألني عن شيء في الوثائق.",
    "zh": "这个我帮不了您。请问我文档里的内容。",
    "ja": "それについてはお手伝いできません。文書の内容についてお尋ねください。",
}
ABSTAIN: Mapping[str, str] = {
    "en": "I couldn't find an answer to that in the documents. Try other words, or ask about something more specific.",
    "de": "Dazu habe ich in den Dokumenten keine Antwort gefunden. Versuchen Sie andere Worte, oder fragen Sie genauer.",
    "es": "No he encontrado la respuesta en los documentos. Pruebe con otras palabras o pregunte algo más concreto.",
    "fr": "Je n'ai pas trouvé de réponse dans les documents. Essayez avec d'autres mots, ou posez une question plus précise.",
    "it": "Non ho trovato una risposta nei documenti. Provi con altre parole, o chieda qualcosa di più preciso.",
    "pt": "Não encontrei a resposta nos documentos. Tente outras palavras, ou pergunte algo mais específico.",
    "nl": "Daar heb ik in de documenten geen antwoord op gevonden. Probeer andere woorden, of vraag iets specifiekers.",
    "sv": "Jag hittade inget svar på det i dokumenten. Försök med andra ord, eller fråga om något mer bestämt.",
    "pl": "W dokumentach nie ma odpowiedzi na to pytanie. Proszę użyć innych słów lub zapytać dokładniej.",
    "tr": "Belgelerde buna bir yanıt bulamadım. Başka sözcükler deneyin ya da daha belirli bir şey sorun.",
    "ru": "Ответа на это в документах я не нашёл. Попробуйте другие слова или спросите точнее.",
    "ar": "لم أجد جوابًا عن ذلك في الوثائق. جرّب كلمات أخرى أو اسأل عن شيء أكثر تحديدًا.",
    "zh": "我在文档中没有找到答案。请换一种说法，或者问得更具体一些。",
    "ja": "文書の中に答えが見つかりませんでした。別の言葉で、またはもっと具体的にお尋ねください。",
}
SMALL_TALK: Mapping[str, str] = {
    "en": "Hello! Ask me a question, and I'll look for the answer in the documents.",
    "de": "Hallo! Stellen Sie mir eine Frage, und ich suche die Antwort in den Dokumenten.",
    "es": "¡Hola! Hágame una pregunta y buscaré la respuesta en los documentos.",
    "fr": "Bonjour ! Posez-moi une question, et je chercherai la réponse dans les documents.",
    "it": "Salve! Mi faccia una domanda, e cercherò la risposta nei documenti.",
    "pt": "Olá! Faça-me uma pergunta, e procurarei a resposta nos documentos.",
    "nl": "Hallo! Stel me een vraag, dan zoek ik het antwoord in de documenten.",
    "sv": "Hej! Ställ en fråga, så letar jag efter svaret i dokumenten.",
    "pl": "Dzień dobry! Proszę zadać pytanie, a poszukam odpowiedzi w dokumentach.",
    "tr": "Merhaba! Bana bir soru sorun, yanıtını belgelerde arayayım.",
    "ru": "Здравствуйте! Задайте вопрос, и я поищу ответ в документах.",
    "ar": "مرحبًا! اطرح سؤالًا وسأبحث عن الجواب في الوثائق.",
    "zh": "您好！请提问，我会在文档中寻找答案。",
    "ja": "こんにちは。ご質問ください。文書の中から答えを探します。",
}


def text_in(reply: Reply, language: str) -> str:
    """A reply in a language; in English, or else in the first that there is, where it isn't written in that one."""
    if isinstance(reply, str):
        return reply
    return reply.get(language) or reply.get("en") or next(iter(reply.values()))
