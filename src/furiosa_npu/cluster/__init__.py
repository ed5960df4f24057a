"""The API server, spoken to by a short-lived child process alone. Knows no NPU."""
