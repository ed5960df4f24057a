"""The node labeller agent: says on the node's labels which NPUs it has."""
