"""Judges readings over time: which card may be handed out, and why not. Pure."""
