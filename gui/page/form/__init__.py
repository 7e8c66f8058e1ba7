"""The form that a Params model declares: one field for each kind of parameter."""
