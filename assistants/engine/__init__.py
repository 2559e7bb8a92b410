"""Running a run: the state machine, the prompt, the call of the model, and the handlers of queue items."""
