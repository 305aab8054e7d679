"""What happens on X: one file per event family, one function per reaction, registered by decorator."""
