"""sentence-transformers in its own process, timing itself.

Reads a JSON array of texts a line on standard input; answers a line of JSON for each: `{"ms": ...,
"vectors": [...]}`, the vectors only for as few texts as `--vectors` allows, so that writing them
does not slow the next call. The first line that it writes is `{"ready": true}`.

Usage:

    python in_process.py --model path/to/model-folder [--threads 2] [--batch-size 32]
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch
from sentence_transformers import SentenceTransformer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, help="default: what torch chooses")
    parser.add_argument("--batch-size", type=int, default=32, help="default: %(default)s")
    parser.add_argument("--vectors", type=int, default=8, help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = SentenceTransformer(arguments.model, device="cpu", local_files_only=True)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        started = time.perf_counter()
        vectors = model.encode(
            texts,
            batch_size=arguments.batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        answer = {"ms": 1000 * (time.perf_counter() - started), "vectors": None}
        if len(texts) <= arguments.vectors:
            answer["vectors"] = vectors.tolist()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
