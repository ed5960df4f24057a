"""What a thousand nodes' agents ask of one API server."""
