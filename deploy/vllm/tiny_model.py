"""A tiny Llama with random weights, made on the spot: enough to talk to a real vLLM without a hub.

What it writes means nothing. It has about three million parameters and a byte-level BPE tokenizer
trained on the demo corpus, with a chat template.
"""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = ["<|begin|>", "<|pad|>"]
TEMPLATE = (
    "{{ '<|begin|>' }}{% for message in messages %}"
    "{{ message['role'] + ': ' + message['content'] + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def main() -> None:
    """Write the model into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", type=Path, default=Path("deploy/demo/help"))
    parser.add_argument("--context", type=int, default=4096)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(args.corpus)
    tokenizer.save_pretrained(args.folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=args.context,
        bos_token_id=0,
        eos_token_id=None,  # it goes on until it is stopped, so that tests can rely on it
        pad_token_id=1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(args.folder)


def make_tokenizer(corpus: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that any text can be encoded and what is decoded is what was encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train([str(path) for path in sorted(corpus.rglob("*.md"))], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|begin|>",
        pad_token="<|pad|>",
        chat_template=TEMPLATE,
    )


if __name__ == "__main__":
    main()
