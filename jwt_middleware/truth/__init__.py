"""What others know, and our copies of it: the store, and the ports to the world."""
