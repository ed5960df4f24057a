"""What our agents take beside the Go programs that do the same jobs: `scripts/bench peers`."""
