"""A guided look at the window: a light on one widget after the other, with a few words beside it."""
