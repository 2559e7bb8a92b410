"""A trial of the model's endpoint: its features, its learnt properties, and settings for features that fail."""
