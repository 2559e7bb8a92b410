"""Server tools: what the model may call and this service answers."""
