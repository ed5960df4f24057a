"""Simulations mounted through FUSE: real system calls that fail, hang and find devices busy."""
