"""The app without Core Tools: Azurite, the queue pump and a demo model. Imported by nobody else."""
