"""A real server in a thread, at a port of its own."""

import socket
import threading
import time

import uvicorn

from disentone.serve.patience import HeadInTime


class Server:
    def __init__(self, app):
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(app, http=HeadInTime, log_level="warning", lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.door]})

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(timeout=30)  # it waits for what clients are still being sent
        self.server.force_exit = True  # as a second Ctrl-C does: a test that failed holds it open
        self.thread.join()
