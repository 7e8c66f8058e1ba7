"""What a chat template, a tokenizer and a loss mask make of a conversation: no torch, no transformers, no Qt.

A conversation is rendered by a template, the text is encoded by a tokenizer, and a policy says which tokens are
targets. `rows` puts all of it side by side, token by token.
"""
