"""The OpenAI Assistants API v2 over Azure storage and any chat-completions endpoint."""
