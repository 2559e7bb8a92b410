"""Server tools: the model calls them, and this service answers."""
