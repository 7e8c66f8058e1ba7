"""The contracts between the rooms: params, result, claims, events, topic, errors, text, and the registry."""
