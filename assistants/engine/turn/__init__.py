"""One turn of a run: its request to the model, and the answer as the turn that is recorded."""
