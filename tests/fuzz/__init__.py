"""What is compiled against the Python that it stands in for: whatever it takes, that takes too, with equal results.

`python -m tests.fuzz` tries as many inputs as one likes; tests/property/test_native_property.py some, each time.
"""
