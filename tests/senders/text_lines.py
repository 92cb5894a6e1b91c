"""Lines of standard input, each as a message, alone or (with a topic) behind one."""

import sys

import zmq


def main():
    endpoint, *topic = sys.argv[1:]
    context = zmq.Context()
    socket = context.socket(zmq.PUSH)
    socket.connect(endpoint)
    for line in sys.stdin.buffer:
        socket.send_multipart([*(text.encode() for text in topic), line])
    socket.close(linger=10_000)
    context.term()


if __name__ == "__main__":
    main()
