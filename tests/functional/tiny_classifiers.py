"""Classifiers with random weights in the architectures of the published ones, as folders in the format of the hub."""

import json
from pathlib import Path
from typing import Any

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789.,:?\"'"]
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "initializer_range": 1.0}
"""Weights near 0, as they begin, would give every text the same probability."""
NLI = {0: "contradiction", 1: "entailment", 2: "neutral"}


def write_tokenizer(folder: Path) -> int:
    """Letters as tokens; the size of the vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [*WORDS, *(f"##{word}" for word in WORDS[5:])]
    pieces = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    pieces.normalizer = normalizers.Lowercase()
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    pieces.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ends)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=pieces, model_max_length=512, **names).save_pretrained(folder)
    return len(words)


def write_nli(folder: Path, labels: dict[int, str] = NLI, seed: int = 0) -> Path:
    """A DeBERTa of the size of a test."""
    import torch
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

    torch.manual_seed(seed)
    size = write_tokenizer(folder)
    config = DebertaV2Config(vocab_size=size, num_labels=len(labels), id2label=labels, **SMALL)
    DebertaV2ForSequenceClassification(config).save_pretrained(folder)
    return folder


def write_marker(folder: Path) -> Path:
    """A ModernBERT token classifier, as LettuceDetect's."""
    import torch
    from transformers import ModernBertConfig, ModernBertForTokenClassification

    torch.manual_seed(0)
    size = write_tokenizer(folder)
    ends = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    ModernBertForTokenClassification(ModernBertConfig(vocab_size=size, **SMALL, **ends)).save_pretrained(folder)
    return folder


def write_text_classifier(folder: Path, labels: dict[int, str], **config: Any) -> Path:  # noqa: ANN401 -- fields of a config
    """A RoBERTa."""
    import torch
    from transformers import RobertaConfig, RobertaForSequenceClassification

    torch.manual_seed(0)
    size = write_tokenizer(folder)
    settings = RobertaConfig(
        vocab_size=size, pad_token_id=0, num_labels=len(labels), id2label=labels, max_position_embeddings=66, **SMALL, **config
    )
    RobertaForSequenceClassification(settings).save_pretrained(folder)
    return folder


def write_hhem(folder: Path) -> Path:
    """HHEM 2: a T5 token classifier under `t5.`, with code of its own that must never run."""
    import torch
    from safetensors.torch import save_file
    from transformers import T5Config, T5ForTokenClassification

    torch.manual_seed(0)
    foundation = folder / "foundation"
    size = write_tokenizer(foundation)
    config = T5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, initializer_factor=4.0)
    config.save_pretrained(foundation)
    weights = T5ForTokenClassification(config).state_dict()
    kept = {f"t5.{key}": value.clone() for key, value in weights.items()}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    remote = {"AutoModelForSequenceClassification": "modeling.HHEMv2ForSequenceClassification", "AutoConfig": "modeling.C"}
    about = {"architectures": ["HHEMv2ForSequenceClassification"], "model_type": "HHEMv2", "foundation": str(foundation)}
    (folder / "config.json").write_text(json.dumps({**about, "auto_map": remote}), encoding="utf-8")
    (folder / "modeling.py").write_text("raise SystemExit('remote code was run')\n", encoding="utf-8")
    return folder
