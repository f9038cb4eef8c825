"""The way from a caller to the endpoint on one machine: all of it real but AWS's control plane. `make cloud-demo`."""
