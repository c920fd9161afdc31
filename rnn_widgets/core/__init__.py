"""The mathematics of a tiny recurrent network, in numpy alone.

A network is a *program*: cell equations traced once into a template (`cells`), plus counts of
layers, directions and steps (`program`). Everything that is drawn is a pure function of a program
and the values of its leaves: the `forward` pass, the reverse sweep that yields every contribution
C[t, k] at once (`backward`), state Jacobians (`jacobians`), ranked chain-rule terms (`paths`) and
central differences (`differences`).
"""
