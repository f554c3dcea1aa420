"""Make a model of the shape of paraphrase-multilingual-mpnet-base-v2 with random weights.

The time and the memory that a dense transformer takes do not depend on the values of its weights,
so a model of the same shape stands in for the real one wherever speed, memory or stability are
measured and the real weights (1.1 GB, from the Hugging Face hub) are not at hand. Its vectors mean
nothing: quality has to be measured on real weights.

The result is a sentence-transformers folder as on the hub, with the same files and settings. Weights
are spread as in a trained model: matrices and embeddings by the standard deviation that the
config names, LayerNorm scales around one, biases around zero. So vectors of different texts differ
and no activation overflows or vanishes. The same seed gives the same weights, on every machine.

The tokenizer cannot be made up: `--tokenizer` names the tokenizer.json of an XLM-RoBERTa model,
whose 250,002 tokens fit the token table. Its hash is checked.

Usage:

    python make_multilingual_shape.py --out path/to/model-folder --tokenizer path/to/tokenizer.json

`npm run fetch` puts that tokenizer.json into .cache/models/xlm-roberta-tokenizer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from export_onnx import DEFAULT_OPSET, export_and_verify

TOKENIZER_SHA256 = "2c3387be76557bd40970cec13153b3bbf80407865484b209e655e5e4729076b8"
MAX_SEQ_LENGTH = 128
DEFAULT_SEED = 20

CONFIG = {
    "vocab_size": 250_002,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    # Positions count from pad_token_id + 1, so 512 of the 514 can be used.
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
LAYER_NORM_SPREAD = 0.05
PARAMETER_COUNT = 278_043_648

MODULES = [
    {
        "idx": 0,
        "name": "0",
        "path": "",
        "type": "sentence_transformers.models.Transformer",
    },
    {
        "idx": 1,
        "name": "1",
        "path": "1_Pooling",
        "type": "sentence_transformers.models.Pooling",
    },
]
POOLING = {
    "word_embedding_dimension": CONFIG["hidden_size"],
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": True,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
}
SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": {
        "__type": "AddedToken",  # what transformers.js knows it by
        "content": "<mask>",
        "single_word": False,
        "lstrip": True,
        "rstrip": False,
        "normalized": False,
    },
}
JSON_FILES = {
    "modules.json": MODULES,
    "1_Pooling/config.json": POOLING,
    "sentence_bert_config.json": {"max_seq_length": MAX_SEQ_LENGTH, "do_lower_case": False},
    # 512 here and 128 in sentence_bert_config.json: the real model disagrees with itself as well.
    "tokenizer_config.json": {
        **SPECIAL_TOKENS,
        "model_max_length": 512,
        "tokenizer_class": "XLMRobertaTokenizer",
    },
    "special_tokens_map.json": SPECIAL_TOKENS,
}


def random_weights(model: XLMRobertaModel, seed: int) -> None:
    """Fills every parameter of `model` in place, in the order of their names."""
    generator = np.random.default_rng(seed)
    spread = model.config.initializer_range
    for name, parameter in sorted(model.named_parameters()):
        values = generator.standard_normal(parameter.shape, dtype=np.float32)
        if name.endswith("LayerNorm.weight"):
            values = 1 + LAYER_NORM_SPREAD * values
        else:
            values *= spread
        parameter.data.copy_(torch.from_numpy(values))


def make_model(seed: int) -> XLMRobertaModel:
    """Returns the model with random weights."""
    config = XLMRobertaConfig(
        **CONFIG,
        architectures=["XLMRobertaModel"],
        # The hub's files hold attention as plain MatMul and Softmax nodes: this is what traces so.
        attn_implementation="eager",
    )
    model = XLMRobertaModel(config)
    if model.num_parameters() != PARAMETER_COUNT:
        raise ValueError(f"expected {PARAMETER_COUNT:,} parameters, got {model.num_parameters():,}")
    random_weights(model, seed)
    return model


def check_tokenizer(path: Path) -> None:
    """Raises ValueError unless `path` is the XLM-RoBERTa tokenizer.json of the real model."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != TOKENIZER_SHA256:
        raise ValueError(f"{path}: expected sha256 {TOKENIZER_SHA256} but it has {digest}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json of XLM-R")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="default: %(default)s")
    parser.add_argument("--opset", type=int, default=DEFAULT_OPSET, help="default: %(default)s")
    arguments = parser.parse_args()

    check_tokenizer(arguments.tokenizer)
    model = make_model(arguments.seed)
    model.save_pretrained(arguments.out)
    shutil.copyfile(arguments.tokenizer, arguments.out / "tokenizer.json")
    for name, content in JSON_FILES.items():
        path = arguments.out / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    export_and_verify(model, arguments.out / "onnx" / "model.onnx", arguments.opset)


if __name__ == "__main__":
    main()
