"""Kernel interfaces that Python's library lacks. Knows neither NPUs nor Kubernetes."""
