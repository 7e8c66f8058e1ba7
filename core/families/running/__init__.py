"""The families' inputs, references and implementations, with torch: for workers only."""
