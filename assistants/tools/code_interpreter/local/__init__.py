"""The engine that executes code in confined processes of this machine, one per session. Linux only."""
