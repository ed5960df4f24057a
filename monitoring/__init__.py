"""Pictures of the agents' metrics, for Grafana and for the README."""
