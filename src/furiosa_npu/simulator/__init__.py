"""Writes a driver tree of simulated NPUs from a scenario, and changes it while it lives."""
