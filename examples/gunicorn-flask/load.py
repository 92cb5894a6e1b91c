"""Asks the shop for something about twenty times a second.

usage: python load.py PORT SECONDS
"""

import http.client
import random
import sys
import time

port, seconds = int(sys.argv[1]), float(sys.argv[2])
end = time.monotonic() + seconds
while time.monotonic() < end:
    path = random.choices(
        [f"/orders/{random.randrange(1000, 9999)}", "/report", "/missing"], [90, 5, 5]
    )[0]
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path, headers={"User-Agent": "load"})
        connection.getresponse().read()
        connection.close()
    except OSError:
        pass  # Gunicorn may not have begun yet.
    time.sleep(0.05)
