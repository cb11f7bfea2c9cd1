"""The classes of pytorch-pretrained-biggan, whose import asks for a home folder: a container's user may have none."""

from __future__ import annotations

import os

_HOME = os.environ.get("HOME")
os.environ["HOME"] = _HOME or os.sep  # nothing is looked for or written there
try:
    from pytorch_pretrained_biggan import BigGAN, BigGANConfig
    from pytorch_pretrained_biggan.model import BigGANBatchNorm, GenBlock
finally:
    os.environ.pop("HOME")
    os.environ.update({} if _HOME is None else {"HOME": _HOME})

__all__ = ["BigGAN", "BigGANBatchNorm", "BigGANConfig", "GenBlock"]
