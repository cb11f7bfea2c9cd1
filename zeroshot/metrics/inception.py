"""The Inception-v3 of pytorch-fid and torch-fidelity (Heusel et al. 2017's network, ported): 2,048 pooled features.

It is torchvision's network but for its poolings, which are those of the TensorFlow graph that its weights come from.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import inception as tv

from zeroshot.errors import UserError
from zeroshot.metrics.features import FeatureExtractor
from zeroshot.models.checkpoints import read_checkpoint
from zeroshot.models.generators.base import check_state

SIDE = 299  # pixels a side that the network takes
LOGITS = 1008  # classes of the checkpoint's last layer, which is not used


def average(x: torch.Tensor) -> torch.Tensor:
    """Mean of the 3x3 neighbours that lie inside the image, as TensorFlow's SAME padding takes it."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x: torch.Tensor) -> torch.Tensor:
    """Maximum of the 3x3 neighbours."""
    return F.max_pool2d(x, 3, stride=1, padding=1)


def _chain(block: nn.Module, x: torch.Tensor, *layers: str) -> torch.Tensor:
    for layer in layers:
        x = getattr(block, layer)(x)
    return x


class BlockA(tv.InceptionA):
    """35x35: torchvision's block with TensorFlow's average."""

    def _forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [
            self.branch1x1(x),
            _chain(self, x, "branch5x5_1", "branch5x5_2"),
            _chain(self, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
            self.branch_pool(average(x)),
        ]


class BlockC(tv.InceptionC):
    """17x17: torchvision's block with TensorFlow's average."""

    def _forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [
            self.branch1x1(x),
            _chain(self, x, "branch7x7_1", "branch7x7_2", "branch7x7_3"),
            _chain(self, x, *(f"branch7x7dbl_{i}" for i in range(1, 6))),
            self.branch_pool(average(x)),
        ]


class BlockE(tv.InceptionE):
    """8x8: torchvision's block with TensorFlow's average, in the network's last block with a maximum."""

    def __init__(self, channels: int, last: bool) -> None:
        super().__init__(channels)
        self.pool = maximum if last else average

    def _forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        single = self.branch3x3_1(x)
        double = _chain(self, x, "branch3x3dbl_1", "branch3x3dbl_2")
        return [
            self.branch1x1(x),
            *(self.branch3x3_2a(single), self.branch3x3_2b(single)),
            *(self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)),
            self.branch_pool(self.pool(x)),
        ]


class InceptionFeatures(FeatureExtractor):
    """Images float [N, 3, H, W] in [-1, 1] or uint8 -> float32 [N, 2048], the network's pooled features.

    The values follow pytorch-fid (2x - 1 for x in [0, 1], PyTorch's bilinear resize). torch-fidelity takes
    (x - 128) / 128 for x in 0…255 and TensorFlow's resize before the same network.
    """

    dim = 2048
    image_size = 256  # the first of the two sizes that pictures are brought to

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = tv.BasicConv2d(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = tv.BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = tv.BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.Conv2d_3b_1x1 = tv.BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = tv.BasicConv2d(80, 192, kernel_size=3)
        self.Mixed_5b = BlockA(192, pool_features=32)
        self.Mixed_5c = BlockA(256, pool_features=64)
        self.Mixed_5d = BlockA(288, pool_features=64)
        self.Mixed_6a = tv.InceptionB(288)
        self.Mixed_6b = BlockC(768, channels_7x7=128)
        self.Mixed_6c = BlockC(768, channels_7x7=160)
        self.Mixed_6d = BlockC(768, channels_7x7=160)
        self.Mixed_6e = BlockC(768, channels_7x7=192)
        self.Mixed_7a = tv.InceptionD(768)
        self.Mixed_7b = BlockE(1280, last=False)
        self.Mixed_7c = BlockE(2048, last=True)

    @classmethod
    def from_checkpoint(cls, path: Path) -> InceptionFeatures:
        """The network with the weights of pt_inception-2015-12-05-6726825d.pth, in evaluation mode.

        Raises UserError where the file is missing, damaged, holds code, or does not fit key by key.
        """
        with torch.device("meta"):
            model = cls()
            unused = nn.Linear(cls.dim, LOGITS)
        expected = model.state_dict() | {f"fc.{key}": tensor for key, tensor in unused.state_dict().items()}
        state = check_state(expected, read_checkpoint(path), str(path), UserError)
        model.load_state_dict({key: state[key] for key in model.state_dict()}, assign=True)
        return model.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(self.prepare(images))

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Images uint8, or float in [-1, 1], [N, 3, H, W] -> float32 [N, 3, 299, 299] in [-1, 1].

        To 256 x 256 first (anti-aliased, so that nothing is left out of larger pictures), then to 299 x 299.
        """
        images = images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images.float()
        size = (self.image_size, self.image_size)
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        return F.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False)

    def network(self, x: torch.Tensor) -> torch.Tensor:
        """Prepared images [N, 3, 299, 299] -> features [N, 2048]."""
        x = _chain(self, x, "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3")  # [N, 64, 147, 147]
        x = _chain(self, F.max_pool2d(x, 3, stride=2), "Conv2d_3b_1x1", "Conv2d_4a_3x3")  # [N, 192, 71, 71]
        x = _chain(self, F.max_pool2d(x, 3, stride=2), "Mixed_5b", "Mixed_5c", "Mixed_5d")  # [N, 288, 35, 35]
        x = _chain(self, x, "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e")  # [N, 768, 17, 17]
        x = _chain(self, x, "Mixed_7a", "Mixed_7b", "Mixed_7c")  # [N, 2048, 8, 8]
        return x.mean(dim=(2, 3))
