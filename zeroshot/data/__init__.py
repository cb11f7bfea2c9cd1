"""Captions and photographs, one module per source."""
