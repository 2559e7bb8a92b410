"""A trial of the model's endpoint: what works, what was learnt, and what to set where something does not work."""
