"""What is taught about fine-tuning methods, each with the test of it."""

CLAIMS = ()
