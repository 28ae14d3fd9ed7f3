"""Untrained language models of a few words, for tests."""

from __future__ import annotations

from pathlib import Path

import torch

from studio.ml.language.causal import CausalConfig, CausalNetwork
from studio.ml.language.encoder_decoder import EncoderDecoderConfig, EncoderDecoderNetwork
from studio.ml.nn.layers import TransformerConfig
from studio.ml.training.export import write_model

WORDS = ("a", "cat", "dog", ".")
LAYERS = TransformerConfig(width=16, heads=2, hidden=32, layers=2)
CAUSAL = CausalConfig(length=12, vocabulary=7, transformer=LAYERS)
PAIRED = EncoderDecoderConfig(length=12, vocabulary=7, encoder=LAYERS, decoder=LAYERS)


def written(folder: Path, kind: str, **changed: object) -> Path:
    """A model folder of this kind."""
    torch.manual_seed(0)
    net = CausalNetwork(CAUSAL) if kind == "causal" else EncoderDecoderNetwork(PAIRED)
    network = (CAUSAL if kind == "causal" else PAIRED).model_dump()
    config = {"kind": kind, "name": "tiny", "tokenizer": {"words": WORDS}, "network": network, **changed}
    write_model(folder, net, config, {})
    return folder
