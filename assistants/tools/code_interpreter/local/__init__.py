"""Code is executed by a confined process of this machine, one per session. Linux only."""
