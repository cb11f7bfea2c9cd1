"""How the miniature's weights are made; nothing here is needed to use them. Uses models and the rest of miniature."""
