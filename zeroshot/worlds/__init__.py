"""A world put together: labels, parts, protocols, references. Uses searching, metrics, models, data and storage."""
