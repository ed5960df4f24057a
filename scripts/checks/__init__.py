"""The test command: the machine's packages, a virtual environment, the stages, and what came of them."""
