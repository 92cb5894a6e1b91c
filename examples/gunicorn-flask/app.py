"""A small shop: orders, slow requests, and errors in the background.

    gunicorn --workers 4 --logger-class logbus.gunicorn.Logger app:app
"""

import logging
import random
import threading
import time

from flask import Flask, abort

app = Flask("shop")
stock = logging.getLogger("shop.stock")
payments = logging.getLogger("shop.payments")


@app.get("/orders/<int:number>")
def order(number):
    app.logger.info("order %d accepted", number, extra={"order": number})
    left = random.randrange(20)
    if left < 4:
        stock.warning("stock is low: %d left", left, extra={"order": number})
    if number % 7 == 0:
        threading.Thread(target=settle, args=(number,), name="settle").start()
    return {"order": number}


@app.get("/report")
def report():
    begun = time.perf_counter()
    time.sleep(0.3)
    app.logger.info("report took %.1f s", time.perf_counter() - begun)
    return {"orders": 17}


@app.get("/missing")
def missing():
    abort(404)


def settle(number):
    """Fails now and then, where no request sees it."""
    try:
        {}["card"]
    except KeyError:
        payments.exception("order %d was not paid", number, extra={"order": number})
