"""The command palette: one line that finds everything, for the keyboard."""
