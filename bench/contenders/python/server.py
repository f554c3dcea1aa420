"""The sidecar: a FastAPI server around sentence-transformers, as desktop apps start it beside themselves.

    GET  /health  {"status", "model_loaded", "model_loading"}
    GET  /info    {"model_id", "dim", "device"}
    POST /embed   {"texts", "normalize", "pooling", "batch_size"} -> {"vectors"}

It answers 503 while the model is loading and tells of the load on standard output, as lines
`PROGRESS:{"type": "download_started" | "model_cached" | "model_loaded", "data": {...}}`.

Usage:

    python server.py --model path/to/model-folder [--port 8421] [--threads 2]
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import torch
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from sentence_transformers import SentenceTransformer


class EmbedRequest(BaseModel):
    texts: list[str]
    normalize: bool = True
    pooling: Literal["mean"] = "mean"
    batch_size: int = Field(default=32, ge=1, le=256)


class EmbedResponse(BaseModel):
    vectors: list[list[float]]


class ModelHolder:
    """The model and whether it is being loaded."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        self.model: SentenceTransformer | None = None
        self.loading = False

    def load(self) -> None:
        self.loading = True
        started = time.perf_counter()
        cached = Path(self.model_id).is_dir()
        progress("model_cached" if cached else "download_started", model_id=self.model_id)
        self.model = SentenceTransformer(self.model_id, device="cpu", local_files_only=cached)
        self.loading = False
        progress("model_loaded", seconds=round(time.perf_counter() - started, 3))

    def get(self) -> SentenceTransformer:
        if self.model is None:
            raise HTTPException(status_code=503, detail="The model is loading")
        return self.model


def progress(kind: str, **data: object) -> None:
    print("PROGRESS:" + json.dumps({"type": kind, "data": data}), flush=True)


def make_app(model_id: str) -> FastAPI:
    holder = ModelHolder(model_id)

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        threading.Thread(target=holder.load, daemon=True).start()
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    def health() -> dict[str, object]:
        loaded = holder.model is not None
        return {
            "status": "ok" if loaded else "loading",
            "model_loaded": loaded,
            "model_loading": holder.loading,
        }

    @app.get("/info")
    def info() -> dict[str, object]:
        model = holder.get()
        return {
            "model_id": holder.model_id,
            "dim": model.get_embedding_dimension(),
            "device": str(model.device),
        }

    @app.post("/embed")
    def embed(request: EmbedRequest) -> EmbedResponse:
        vectors = holder.get().encode(
            request.texts,
            batch_size=request.batch_size,
            normalize_embeddings=request.normalize,
            show_progress_bar=False,
        )
        return EmbedResponse(vectors=vectors.tolist())

    return app


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="hub id or folder")
    parser.add_argument("--port", type=int, default=8421, help="default: %(default)s")
    parser.add_argument("--threads", type=int, help="default: what torch chooses")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    uvicorn.run(
        make_app(arguments.model), host="127.0.0.1", port=arguments.port, log_level="warning"
    )


if __name__ == "__main__":
    main()
