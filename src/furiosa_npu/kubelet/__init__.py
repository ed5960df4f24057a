"""The kubelet's protocols: device plugin v1beta1 and pod-resources v1. Knows no NPU."""
