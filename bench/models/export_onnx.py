"""Export a Hugging Face encoder to ONNX with PyTorch's TorchScript ("legacy") exporter.

The graph has the inputs and the output that the ONNX files on the hub have:

    input_ids          int64    [batch_size, sequence_length]
    attention_mask     int64    [batch_size, sequence_length]
    last_hidden_state  float32  [batch_size, sequence_length, hidden_size]

Pooling and normalisation are not part of it. The file is written to `onnx/model.onnx` inside the
model folder and then compared with PyTorch on a padded batch of another shape than the traced one,
so that a dimension that the tracer froze is found here and not in production.

Usage:

    python export_onnx.py path/to/model-folder [--opset 17] [--output path/to/model.onnx]
"""

from __future__ import annotations

import argparse
import inspect
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from transformers import AutoModel, PreTrainedModel

INPUT_NAMES = ["input_ids", "attention_mask"]
OUTPUT_NAME = "last_hidden_state"
DEFAULT_OPSET = 17
# Largest absolute difference between PyTorch and ONNX Runtime that fp32 rounding can explain.
TOLERANCE = 1e-4


def padded_batch(model: PreTrainedModel, lengths: list[int], seed: int) -> dict[str, torch.Tensor]:
    """Returns random token ids of the given lengths, padded to the longest of them."""
    generator = torch.Generator().manual_seed(seed)
    pad_id = model.config.pad_token_id
    shape = (len(lengths), max(lengths))
    # Ids below 1,000 hold the special tokens of every vocabulary in use here.
    token_ids = torch.randint(1000, model.config.vocab_size, shape, generator=generator)
    attention_mask = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).long()
    return {
        "input_ids": torch.where(attention_mask.bool(), token_ids, pad_id),
        "attention_mask": attention_mask,
    }


def export(model: PreTrainedModel, path: Path, opset: int = DEFAULT_OPSET) -> None:
    """Writes `model` to `path` as one ONNX file."""
    model = model.eval()
    class_forward = type(model).forward

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return class_forward(
            model, input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state

    # A wrapper module would do the same, but it would prefix every node and weight with its name.
    model.forward = forward
    try:
        dynamic_axes = {0: "batch_size", 1: "sequence_length"}
        batch = padded_batch(model, lengths=[16, 11], seed=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        with torch.inference_mode():
            torch.onnx.export(
                model,
                tuple(batch[name] for name in INPUT_NAMES),
                str(path),
                input_names=INPUT_NAMES,
                output_names=[OUTPUT_NAME],
                dynamic_axes={name: dynamic_axes for name in [*INPUT_NAMES, OUTPUT_NAME]},
                do_constant_folding=True,
                opset_version=opset,
                **legacy_exporter(),
            )
    finally:
        del model.forward


def legacy_exporter() -> dict[str, bool]:
    """Returns the argument that selects the legacy exporter, which older releases do not know."""
    knows_dynamo = "dynamo" in inspect.signature(torch.onnx.export).parameters
    return {"dynamo": False} if knows_dynamo else {}


def verify(model: PreTrainedModel, path: Path) -> float:
    """Returns the largest absolute difference to PyTorch over the tokens that are not padding.

    Raises:
        ValueError: if it is beyond what rounding explains.
    """
    batch = padded_batch(model, lengths=[5, 29, 23], seed=1)
    with torch.inference_mode():
        expected = model.eval()(**batch).last_hidden_state.numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (actual,) = session.run([OUTPUT_NAME], {name: batch[name].numpy() for name in INPUT_NAMES})
    mask = batch["attention_mask"].numpy().astype(bool)
    difference = float(np.abs(actual - expected)[mask].max())
    if not difference <= TOLERANCE:
        raise ValueError(f"{path}: differs from PyTorch by {difference:.2e} (limit {TOLERANCE})")
    return difference


def node_types(path: Path) -> dict[str, int]:
    """Returns how many nodes of each type the graph has, most frequent first."""
    graph = onnx.load(str(path), load_external_data=False).graph
    return dict(Counter(node.op_type for node in graph.node).most_common())


def export_and_verify(model: PreTrainedModel, path: Path, opset: int = DEFAULT_OPSET) -> None:
    """Exports `model` to `path`, compares it with PyTorch and prints what was written."""
    started = time.perf_counter()
    export(model, path, opset)
    seconds = time.perf_counter() - started
    difference = verify(model, path)
    print(f"{path}: {path.stat().st_size:,} bytes in {seconds:.1f} s, opset {opset}")
    print(f"largest difference to PyTorch: {difference:.1e}")
    print("nodes:", ", ".join(f"{name} {count}" for name, count in node_types(path).items()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder with config.json and model.safetensors")
    parser.add_argument("--output", type=Path, help="default: onnx/model.onnx in the model folder")
    parser.add_argument("--opset", type=int, default=DEFAULT_OPSET, help="default: %(default)s")
    arguments = parser.parse_args()

    output = arguments.output or arguments.model / "onnx" / "model.onnx"
    # The hub's files hold attention as plain MatMul and Softmax nodes, which is what "eager" traces.
    model = AutoModel.from_pretrained(
        arguments.model, attn_implementation="eager", local_files_only=True
    )
    export_and_verify(model.float(), output, arguments.opset)


if __name__ == "__main__":
    main()
