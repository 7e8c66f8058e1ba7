"""What is true: contracts, engine, tracing, hardware facts and the topics. No Qt in here."""
