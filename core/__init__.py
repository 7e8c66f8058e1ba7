"""Contracts, engine, interpreter, traces, hardware facts and topics. No Qt."""
