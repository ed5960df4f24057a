"""The agents against doubles that speak the real protocols."""
