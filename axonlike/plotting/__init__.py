"""A live plot of a running calculation, in a process of its own or on another machine."""
