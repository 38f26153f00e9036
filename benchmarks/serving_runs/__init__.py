"""Servers timed beside each other: what `serving.py` is made of.

scenarios   how many clients ask for what
clients     concurrent clients over HTTP that arrive at random
servers     starts a server and reads its CPU time and memory
bare_loop   a child without any server: one batch, nothing but the model
"""
