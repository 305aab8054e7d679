"""One file or folder per outside system, and the pure rules. Plain values in, plain values out."""
