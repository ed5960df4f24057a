"""The command that tells container runtimes of this host's cards, without Kubernetes."""
