"""The device plugin agent: a thin shell around health, allocation and the kubelet's protocols."""
