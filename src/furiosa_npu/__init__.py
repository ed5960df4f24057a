"""FuriosaAI NPUs on Kubernetes: what each room is for stands in its own `__init__`."""

__all__ = ["__version__"]

__version__ = "0.2.1"
