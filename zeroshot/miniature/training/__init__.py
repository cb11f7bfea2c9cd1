"""How the miniature's weights are made; nothing here is needed to use them."""
