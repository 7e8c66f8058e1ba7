"""flash-attention: where do the bytes go?"""
