"""The systems that are compared: each file sets one up as its documentation advises, and enqueues jobs.

`python -m bench.peers.<name> N` enqueues N jobs one by one and prints the seconds it took.
"""
