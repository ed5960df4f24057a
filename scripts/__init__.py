"""What a checkout is tested and measured with."""
