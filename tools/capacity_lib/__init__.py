"""What tools/capacity is made of. One noun, one file; capacity/runner.py drives them, results.schema.json is what they make."""
