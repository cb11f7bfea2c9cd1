"""The embedded world: what it can draw and say, its photographs, and the recipe that trains its models. Uses worlds."""
