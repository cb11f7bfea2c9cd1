"""What a CLIP's embeddings depend on, told from its files: no model library is needed to find what was computed."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from zeroshot.storage.paths import at_home
from zeroshot.storage.pins import check_pin, folder_sha256, sha256_of

# Files beside a file of weights that say how a model is built, its pictures prepared and its texts read, as open_clip
# and transformers name them.
CONFIGURATIONS = ("open_clip_config.json", "preprocessor_config.json", "config.json")
TOKENIZERS = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt"),
    *("vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model"),
)
BESIDE = (*CONFIGURATIONS, *TOKENIZERS)
# The numbers that each precision computes with; tf32's weights are float32, its products are not.
NUMBERS = {"fp32": "float32", "tf32": "tf32", "bf16": "bfloat16", "fp16": "float16"}


def clip_identity(
    model: str | Path, weights: str | Path, vocabulary: str | Path | None, numbers: str
) -> dict[str, Any] | None:
    """For cache keys and reports; None where only the loaded weights tell, which is so for open_clip's own tags.

    Args:
        model: an open_clip configuration (a path that ends in .json), or the name of an open_clip model.
        weights: a file or a folder.
        vocabulary: gzip file of byte-pair merges; None: the model's own.
        numbers: one of NUMBERS' values.

    Raises EnvironmentFailure where a file is missing, or is not the one that SHA256SUMS beside it states.
    """
    if str(model).endswith(".json"):
        check_pin(Path(weights))
        known: dict[str, Any] = {
            "model": Path(model).stem,
            "config": sha256_of(Path(model)),
            "weights": sha256_of(Path(weights)),
        }
    elif weights and (place := at_home(str(weights))).exists():
        known = {"model": str(model), "weights": folder_sha256(place)}
        beside = [] if place.is_dir() else [place.with_name(name) for name in BESIDE]  # a folder's sum holds them
        known |= {"beside": {path.name: sha256_of(path) for path in beside if path.is_file()}}
    else:
        return None
    return known | {"vocabulary": vocabulary_identity(vocabulary), "precision": numbers}


def vocabulary_identity(vocabulary: str | Path | None) -> str:
    """The sha256 of a vocabulary's file; open_clip's version for one that comes with it."""
    return sha256_of(Path(vocabulary)) if vocabulary else f"open_clip {version('open_clip_torch')}"
