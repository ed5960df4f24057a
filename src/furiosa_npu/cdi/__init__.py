"""Container Device Interface: specifications that a container runtime reads; rendered, written, and read back."""
