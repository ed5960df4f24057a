"""What every agent's process has: settings, log, probes and metrics over HTTP. Knows neither NPUs nor Kubernetes."""
