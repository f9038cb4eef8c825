"""The whole path from a client to the endpoint on one machine, without AWS's control plane: `make cloud-demo`."""
