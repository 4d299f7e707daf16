"""The program behind scripts/probe: it asks AWS what the project can only guess, and records the answers."""
