"""What the documents say is done and compared."""
