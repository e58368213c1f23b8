"""Simulate how Lambda scales with traffic: waits, cold starts, throttled requests, and the bill."""
