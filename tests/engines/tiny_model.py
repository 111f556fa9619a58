"""Makes a language model of random weights: a real architecture, tokenizer and chat template, small enough for a test."""

import sys
from pathlib import Path

TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant: "


def make(folder: Path) -> None:
    """Write a two-layer Llama and a byte-level tokenizer in the format of the hub."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    pieces.train_from_iterator(["a prompt, its versions and their runs"], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    ends = {"bos_token_id": 0, "eos_token_id": None}  # random weights would end some answers before they begin
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 512}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **size, **heads, **ends)).save_pretrained(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
