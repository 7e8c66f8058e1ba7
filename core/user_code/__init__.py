"""The user's own Python file: parsed without running it, and run as if it were alone. Shared by topics that run one."""
