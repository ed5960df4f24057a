"""Tests against the vendor's own software; they need root, and PyPI once."""
