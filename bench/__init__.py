"""Measurements of what this project states: latency, on the machine that runs them."""
