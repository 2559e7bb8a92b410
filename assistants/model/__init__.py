"""The model's endpoint: chat completions and embeddings, its errors, and their repetition."""
