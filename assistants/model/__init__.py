"""The model's endpoint: chat completions and embeddings, its errors, and when it is asked again."""
