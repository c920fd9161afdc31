"""Keras's recurrent layers on its torch backend; Keras itself is never imported here.

An object of Keras is there only if the user has imported Keras, so it is found in `sys.modules`.
"""
