"""The embedded default: simulated NPUs, an in-process kubelet that speaks the real protocol, the real plugin."""
