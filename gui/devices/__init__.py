"""The machines that runs can be sent to: the list of them, and the dialog that adds, tests and removes them."""
