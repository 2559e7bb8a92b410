"""Running a run: the state machine, the prompt, the model call, and those who attend to all of it."""
