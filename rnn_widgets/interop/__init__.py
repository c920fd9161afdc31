"""Other frameworks: their names and layouts, their modules, and torch as the independent witness.

The only home of torch, which is imported when one of these functions is called.
"""
