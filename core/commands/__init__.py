"""The headless subcommands: the same topics, engine and claims as the window, printed."""
