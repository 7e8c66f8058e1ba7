"""Unmodified operations of public packages, traced and compared with a witness: see docs/compatibility.md."""
