from hypothesis import settings

# A first call imports and allocates, and the machine may be busy; how long one example takes says nothing here.
settings.register_profile("trace", deadline=None)
settings.load_profile("trace")
