"""Upsampling that is not done: the same numbers as doing it."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from zeroshot.models.generators.upsampling import UpsampleConv, add_upsampled_


def test_folded_gives_the_two_steps_numbers_edges_included() -> None:
    torch.manual_seed(0)
    layer, x = UpsampleConv(5, 3).double().eval(), torch.randn(2, 5, 4, 7, dtype=torch.float64)
    expected = F.conv2d(F.interpolate(x, scale_factor=2), layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected)
    keys = set(layer.state_dict())
    layer.fold()
    assert layer.folded is not None and layer(x).shape == (2, 3, 8, 14)
    torch.testing.assert_close(layer(x), expected)
    assert set(layer.state_dict()) == keys == {"weight", "bias"}


def test_training_drops_what_was_folded() -> None:
    layer, x = UpsampleConv(2, 2).eval(), torch.randn(1, 2, 3, 3)
    layer.fold()
    layer.train()
    with torch.no_grad():
        layer.weight.zero_()
    layer.eval()
    assert layer(x).flatten(2).std(dim=2).max() == 0  # the bias alone


def test_adding_upsampled_maps_in_either_layout() -> None:
    small = torch.randn(2, 6, 3, 4)[:, :3]
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(2, 3, 6, 8).contiguous(memory_format=layout)
        expected = x + F.interpolate(small, scale_factor=2)
        torch.testing.assert_close(add_upsampled_(x, small), expected)
        torch.testing.assert_close(x, expected)
