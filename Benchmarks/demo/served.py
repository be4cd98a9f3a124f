"""The last part of the demo: the same store behind `whence serve`, read by the Python client."""

import socket
import subprocess
import time

import whencedb


class Server:
    """`whence serve` on a port of loopback that was free a moment ago."""

    def __init__(self, whence, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.log = open(f"{folder}/serve.log", "w")
        self.process = subprocess.Popen(
            [whence, "serve", "--data", "store", "--listen", self.address, "--http-listen", "off"], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT)

    def connect(self):
        """A client, as soon as the server answers."""
        for _ in range(200):
            try:
                client = whencedb.connect(self.address)
                client.ping()
                return client
            except whencedb.ConnectionLost:
                if self.process.poll() is not None:
                    raise RuntimeError(f"whence serve ended with {self.process.returncode}; see serve.log")
                time.sleep(0.05)
        raise RuntimeError("whence serve does not answer; see serve.log")

    def stop(self):
        """Ends it as an operator would, and returns its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.log.close()
