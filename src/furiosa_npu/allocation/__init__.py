"""What is handed out, to whom, and what the container gets. Pure."""
