"""Sends messages that are no records, to a subscriber that takes everything."""

import sys

import zmq

context = zmq.Context()
socket = context.socket(zmq.XPUB)
socket.connect(sys.argv[1])
socket.recv()
socket.send(b"no record at all")
socket.send_multipart([b"a", b"\xc1LB\x09", b""])
socket.close(linger=10_000)
context.term()
