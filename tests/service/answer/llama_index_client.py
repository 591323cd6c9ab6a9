"""LlamaIndex's client for servers that speak OpenAI's protocol, in an environment of its own: `URL QUESTION`.

Prints what was said whole, and what was said as a stream, as JSON.
"""

import json
import sys

from llama_index.llms.openai_like import OpenAILike

url, question = sys.argv[1:]
model = OpenAILike(
    model="support",
    api_base=url,
    api_key="none",
    is_chat_model=True,
    context_window=8_000,
    max_tokens=200,
    temperature=0,
    timeout=120,
    max_retries=0,
)
whole = model.complete(question).text
streamed = "".join(str(piece.delta or "") for piece in model.stream_complete(question))
sys.stdout.write(json.dumps({"whole": whole, "streamed": streamed}) + "\n")
