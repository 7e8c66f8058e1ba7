"""The skeleton that every page fills: page, cards, form, claims, notes, source, history, log."""
