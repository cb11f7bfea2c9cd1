"""Files that are whole or not there, caches, locks, shards. Uses nothing but errors."""
