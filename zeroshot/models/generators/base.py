"""The interface of a class-conditional generator."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from zeroshot.errors import EnvironmentFailure

COUNTER = ".num_batches_tracked"


class Generator(nn.Module, abc.ABC):
    """z and a class index in, an image out. Whatever has these three attributes and `forward` can be searched.

    A generator of your own: derive from this class, set the attributes in `__init__`, implement `forward`; override
    `latent` where z is not standard normal.
    """

    image_size: int  # pixels a side
    z_dim: int
    num_classes: int
    mixes_classes = False  # whether `forward` also takes weights of classes, float [N, num_classes], as class_index

    @property
    def called(self) -> str:
        """What messages call it."""
        return type(self).__name__

    @property
    def input_dtype(self) -> torch.dtype:
        """Number type of the z that `forward` takes: that of the weights."""
        return next((p.dtype for p in self.parameters() if p.is_floating_point()), torch.float32)

    def in_precision(self, dtype: torch.dtype) -> Generator:
        """This generator computing in another number type; images stay float32."""
        return self.to(dtype)

    def latent(self, uniforms: torch.Tensor) -> torch.Tensor:
        """z from addressed uniforms: float64 [N, z_dim] in (0, 1) -> float32 [N, z_dim], here N(0, I).

        By the inverse of the normal's cumulative function, in float64, so that every device gets the same z.
        """
        return torch.special.ndtri(uniforms).float()

    @abc.abstractmethod
    def forward(self, z: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """Images float32 [N, 3, image_size, image_size] in [-1, 1] from z [N, z_dim] and class_index int64 [N]."""


def of_classes(table: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Rows of a class table [num_classes, C]: [N, C] of class indices int64 [N], or of weights float [N, num_classes]
    the weighted sums."""
    return classes.to(table.dtype) @ table if classes.is_floating_point() else F.embedding(classes, table)


def to_image(x: torch.Tensor) -> torch.Tensor:
    """tanh of a last layer's output, of half precision in single: its steps near ±1 are half a grey level of 256."""
    return torch.tanh(x.float() if x.dtype.itemsize < 4 else x)


def check_state(
    expected: Mapping[str, torch.Tensor],
    state: Mapping[str, torch.Tensor],
    source: str,
    error: type[Exception] = EnvironmentFailure,
) -> dict[str, torch.Tensor]:
    """A checkpoint's tensors, once every key and shape has been compared with those of the model's own state.

    The counters of batch norms, which old versions of PyTorch did not have and evaluation does not use, may be missing
    and are then 0.

    Raises `error` (UserError for files that the user brings) that names the first missing, unexpected and mis-shaped
    keys and counts the others.
    """
    state = {key: torch.zeros((), dtype=torch.long) for key in expected if key.endswith(COUNTER)} | dict(state)
    wrong = []
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    shapes = [
        f"{key} {list(state[key].shape)} instead of {list(ours.shape)}"
        for key, ours in expected.items()
        if key in state and state[key].shape != ours.shape
    ]
    for name, keys in (("missing", missing), ("unexpected", unexpected), ("mis-shaped", shapes)):
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            wrong.append(f"{name}: {', '.join(keys[:3])}{more}")
    if wrong:
        raise error(f"{source} does not fit: {'; '.join(wrong)}")
    return state
