"""Local stand-ins of outside systems, for the demo and the tests: real programs on real sockets."""
