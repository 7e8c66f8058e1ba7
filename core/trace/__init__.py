"""What a trace is, and what follows from one: numpy only, so the window may read what a worker executed."""
