"""A real Kubernetes cluster on one machine, and the tests that run the product on it. Needs root and Debian."""
