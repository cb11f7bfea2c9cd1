"""The configuration beside CLIP's weights, which is obeyed: open_clip's, or that of a folder of transformers.

Weights do not say how their pictures were prepared, nor which activation they were trained with. A model's name says
the first where all of open_clip's own weights of that name agree (`one_preparation`); else the configuration must.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import open_clip
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from zeroshot.errors import UserError
from zeroshot.models.clip_pictures import USUAL, checked, of_transformers, side
from zeroshot.models.identity import CONFIGURATIONS
from zeroshot.storage.json_files import read_json

# model_cfg and preprocess_cfg; transformers' of pictures; and of the model, of which only its activation is read.
OPEN_CLIP, PICTURES, TRANSFORMERS = CONFIGURATIONS
# What may differ from a named model: what the configuration decides, and what does not touch a trained model's numbers.
DECIDED = {"custom_text", "init_logit_scale", "init_logit_bias", "nonscalar_logit_scale"}
DECIDED |= {f"vision_cfg.{key}" for key in ("image_size", "patch_dropout", "output_tokens", "timm_model_pretrained")}
DECIDED |= {f"vision_cfg.{key}" for key in ("timm_drop", "timm_drop_path")}
DECIDED |= {f"text_cfg.{key}" for key in ("context_length", "vocab_size", "output_tokens", "hf_model_pretrained")}
DECIDED |= {f"text_cfg.{key}" for key in ("hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs")}


@dataclasses.dataclass(frozen=True)
class ClipConfig:
    """A model as it is built, and how its pictures are prepared.

    Args:
        model: open_clip's model_cfg.
        preprocess: open_clip's preprocess_cfg without the size, which is that of the image tower.
        folder: where a configuration lies; None: the model's name alone says all this.
    """

    model: dict[str, Any]
    preprocess: dict[str, Any]
    folder: Path | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What embeddings depend on beyond the name and the weights, for cache keys."""
        if self.folder is None:
            return {}
        whole = json.dumps([self.model, self.preprocess], sort_keys=True)
        said = {"preprocess": self.preprocess, "quick_gelu": bool(self.model.get("quick_gelu"))}
        return said | {"config": hashlib.sha256(whole.encode()).hexdigest()}


def config_of(name: str, weights: Path) -> ClipConfig:
    """What is built of a file of weights: as the configuration beside it says, where there is one.

    Raises:
        UserError: a configuration cannot be read or used, or is of another architecture than `name`, which is one of
            open_clip's; or nothing says how pictures are prepared.
    """
    folder = weights.parent
    model, said, source = open_clip.get_model_config(name), {}, None
    ours, theirs, pictures = (_read(folder / file) for file in (OPEN_CLIP, TRANSFORMERS, PICTURES))
    if ours is not None:
        source = folder / OPEN_CLIP
        ours = _mapping(ours, source)
        given = ours.get("model_cfg", ours if "embed_dim" in ours else model)
        check_architecture(name, given, source)
        model, said = given, _mapping(ours.get("preprocess_cfg") or {}, source)
    elif isinstance(theirs, dict) and theirs.get("model_type") == "clip":
        source = folder / TRANSFORMERS
        model["quick_gelu"] = _quick_gelu(theirs, source)
        check_architecture(name, model, source)
    if pictures is not None and not said:
        source = folder / PICTURES
        said = of_transformers(_mapping(pictures, source), source)
    said = {key: value for key, value in said.items() if value is not None}
    if not {"mean", "std"} <= set(said) and not one_preparation(name):
        raise UserError(
            f"{weights} does not say how its pictures are prepared, and {name} has no one way: put the {OPEN_CLIP} of "
            "these weights beside them (with mean, std, interpolation and resize_mode as its preprocess_cfg)"
        )
    size = side(model["vision_cfg"].get("image_size", CLIPVisionCfg.image_size), source or weights)
    if "size" in said and side(said["size"], source or weights) != size:
        raise UserError(
            f"{source}: pictures are prepared at {said['size']} pixels, but the model's image_size is {size}"
        )
    return ClipConfig(model, checked(said, source or weights), folder if source else None)


def one_preparation(name: str) -> bool:
    """Whether all of open_clip's weights of a model, if it has any, take pictures prepared as OpenAI's do."""
    tags = [open_clip.get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)]
    keys = ("mean", "std", "interpolation", "resize_mode")
    return all(tuple(tag.get(key) or USUAL[key]) == tuple(USUAL[key]) for tag in tags for key in keys)


def check_architecture(name: str, given: object, path: Path) -> None:
    """Raise UserError where a model_cfg is none, or of another architecture or activation than a named model.

    It says what differs. An activation that no name of open_clip has with this architecture is the model_cfg's.
    """
    try:
        theirs = _architecture(_mapping(given, path))
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} holds no model_cfg of open_clip ({str(error)[:120]}): get it again") from None
    named = _architecture(open_clip.get_model_config(name))
    wrong = [key for key in sorted(theirs | named) if theirs.get(key) != named.get(key)]
    if not wrong:
        return
    fitting = [n for n in open_clip.list_models() if _architecture(open_clip.get_model_config(n)) == theirs]
    if fitting or wrong != ["quick_gelu"]:
        raise UserError(
            f"{path} says {wrong[0]} = {theirs.get(wrong[0])!s:.60}, but {name} has {named.get(wrong[0])!s:.60}: give "
            f"{f'clip.model={fitting[0]}' if fitting else 'the model that these weights are of'}"
        )


def _architecture(model: dict[str, Any]) -> dict[str, Any]:
    """What a model_cfg says of a model's layers, with open_clip's defaults, as {"dotted.key": value}."""
    flat = model | {"embed_dim": model["embed_dim"], "quick_gelu": bool(model.get("quick_gelu"))}
    for tower, kind in (("vision_cfg", CLIPVisionCfg), ("text_cfg", CLIPTextCfg)):
        fields = dataclasses.asdict(kind(**flat.pop(tower)))
        flat |= {f"{tower}.{key}": list(value) if isinstance(value, tuple) else value for key, value in fields.items()}
    timm = flat["vision_cfg.timm_model_name"]
    flat["vision_cfg.timm_model_name"] = timm and str(timm).split(".")[0]  # behind the dot: which weights
    return {key: value for key, value in flat.items() if key not in DECIDED}


def _quick_gelu(config: dict[str, Any], path: Path) -> bool:
    """Whether transformers' configuration of a CLIP names QuickGELU, which is its default."""
    towers = [_mapping(config.get(key) or {}, path) for key in ("vision_config", "text_config")]
    named = sorted({str(tower.get("hidden_act", "quick_gelu")) for tower in towers})
    if named not in (["quick_gelu"], ["gelu"]):
        raise UserError(f"{path}: hidden_act = {', '.join(named):.60}, but open_clip has quick_gelu or gelu")
    return named == ["quick_gelu"]


def _read(path: Path) -> Any:
    """What a JSON file holds; None where there is no such file."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({str(error)[:120]}): get it again, or remove it") from None


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{path} holds {value!r:.40} where names with values are expected: get it again")
    return value
