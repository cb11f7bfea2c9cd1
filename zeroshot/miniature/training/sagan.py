"""Stage `sagan`: StudioGAN's SAGAN at small width, distilled from the renderer."""

from __future__ import annotations
