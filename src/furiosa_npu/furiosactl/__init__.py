"""The command inside (and outside) the pod: shows NPUs and sets what the driver lets one set."""
