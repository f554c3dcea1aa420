"""Measure the peak of this machine's matrix products: what no embedding can be faster than.

The best of several libraries, of several shapes and of many repetitions, in GFLOP/s for float32
(sgemm) and in GOP/s for 8-bit integers with 32-bit sums (igemm); an operation is a multiplication
or an addition. The libraries: torch (oneDNN or MKL: `a @ b`, `torch._int_mm`) and ONNX Runtime
(MatMul, MatMulInteger of u8 and i8). The shapes: a cube, and the model's own largest product.

Prints JSON: {"threads", "sgemm": {"gops", "by", "shape"}, "igemm": the same, "all": [...]}.

Usage:

    python peak.py [--threads 2] [--seconds 0.5] [--hidden 768] [--intermediate 3072]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

Shape = tuple[int, int, int]


def onnx_session(operator: str, shape: Shape, threads: int, b: np.ndarray) -> onnxruntime.InferenceSession:
    """Returns a session of one product whose right side is a weight, as in a model."""
    m, k, n = shape
    integer = operator == "MatMulInteger"
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["y"])],
        "peak",
        [helper.make_tensor_value_info("a", TensorProto.UINT8 if integer else TensorProto.FLOAT, [m, k])],
        [helper.make_tensor_value_info("y", TensorProto.INT32 if integer else TensorProto.FLOAT, [m, n])],
        [onnx.numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def products(shape: Shape, threads: int) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Yields (kind, library, product) for every way to multiply."""
    m, k, n = shape
    random = np.random.default_rng(20)
    a, b = (random.standard_normal(size, dtype=np.float32) for size in ((m, k), (k, n)))
    a8, b8 = (random.integers(-64, 64, size, dtype=np.int8) for size in ((m, k), (k, n)))
    au8 = random.integers(0, 128, (m, k), dtype=np.uint8)

    ta, tb, ta8, tb8 = (torch.from_numpy(it) for it in (a, b, a8, b8))
    yield "sgemm", "torch", lambda: ta @ tb
    yield "igemm", "torch", lambda: torch._int_mm(ta8, tb8)
    sgemm = onnx_session("MatMul", shape, threads, b)
    yield "sgemm", "onnxruntime", lambda: sgemm.run(None, {"a": a})
    igemm = onnx_session("MatMulInteger", shape, threads, b8)
    yield "igemm", "onnxruntime", lambda: igemm.run(None, {"a": au8})


def fastest(product: Callable[[], object], seconds: float) -> float:
    """Returns the seconds of the fastest of the repetitions that fit into `seconds`."""
    product()
    best = float("inf")
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        product()
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=0.5, help="of each product")
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--intermediate", type=int, default=3072)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    shapes = [(2048, 2048, 2048)] + [
        (m, arguments.hidden, arguments.intermediate) for m in (128, 512, 2048)
    ]
    measured = []
    for shape in shapes:
        for kind, library, product in products(shape, arguments.threads):
            try:
                seconds = fastest(product, arguments.seconds)
            except RuntimeError as error:  # a library without this product on this processor
                measured.append({"kind": kind, "by": library, "shape": shape, "error": str(error)})
                continue
            gops = 2 * np.prod(shape, dtype=float) / seconds / 1e9
            measured.append({"kind": kind, "by": library, "shape": shape, "gops": float(gops)})
    best = {
        kind: max((it for it in measured if it["kind"] == kind and "gops" in it), key=lambda it: it["gops"])
        for kind in ("sgemm", "igemm")
    }
    print(json.dumps({"threads": arguments.threads, **best, "all": measured}))


if __name__ == "__main__":
    main()
