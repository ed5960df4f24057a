"""What the agents cost on a node, beside Kubernetes' own sample device plugin: `scripts/bench`."""
