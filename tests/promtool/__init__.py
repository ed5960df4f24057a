"""What the agents tell Prometheus, read by its own linter."""
