"""Captions and photographs, one file per source. Uses nothing but errors."""
