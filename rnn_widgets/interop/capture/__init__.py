"""Recording a recurrent layer inside a model: one forward pass and one reverse sweep of our own.

A layer is described by a `LayerSpec` and arrays in torch's layout, whatever framework it is from;
`cells` has the equations, `stack` runs and sweeps all layers and directions, `calls` stands in for
a torch module's forward, and `record` puts it together.
"""
