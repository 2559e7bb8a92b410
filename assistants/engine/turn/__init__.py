"""One turn of a run: from its messages to a request of the model, and from the answer to the turn that is recorded."""
