"""What the programs of the Python clients share: settings, customers, reports, and the receiver of webhooks."""

import base64
import http.server
import json
import sys
import threading
import urllib.parse
import urllib.request

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LINK = "https://example.com/file"


class Program:
    """A program of `.ci/verify-clients`: it makes the calls of a client, and then receives webhooks with it."""

    def __init__(self):
        self.settings = json.loads(sys.argv[1])
        self.called = set()
        self.customers = 0

    def report(self, **line):
        # In one write, because the receiver reports from other threads.
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def call(self, name, make, check=bool):
        """Makes a call and reports whether `check` accepts its result. `name` starts with the name of the method."""
        self.called.add(name.split(" ")[0])
        try:
            result = make()
            error = None if check(result) else f"unexpected result: {result!r}"
        except Exception as problem:
            result, error = None, f"{type(problem).__name__}: {problem}"
        self.report(call=name, error=error)
        return result

    def report_uncalled(self, methods):
        """Reports the client's methods that no call used, so that a new version of the client gets its calls."""
        self.report(uncalled=sorted(set(methods) - self.called))

    def control(self, path, body):
        """Calls the simulator's control API."""
        url, data = f"{self.settings['simulator']}/simulator/{path}", body and json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data)) as response:
            return json.load(response)

    def customer(self):
        """Lets a new customer write to the business. Returns the number and the message's ID."""
        self.customers += 1
        number = f"{self.settings['customers']}{self.customers:04}"
        message = {"from": number, "name": "Mona", "text": "Hello"}
        return number, self.control("messages", message)["ids"][0]

    def verification_code(self, phone_number_id):
        """Returns the code that WhatsApp sent to a business number."""
        numbers = self.control("numbers", None)["numbers"]
        return next(one["verificationCode"] for one in numbers if one["phoneNumberId"] == phone_number_id)

    def incoming_call(self):
        """Lets a new customer call the business. Returns the call's ID."""
        return self.control("calls", {"from": self.customer()[0]})["ids"][0]

    def wait(self, url):
        """Tells `.ci/verify-clients` where the receiver is, and receives webhooks until the standard input ends."""
        self.report(receiver=url)
        sys.stdin.read()

    def receive(self, post, get):
        """Serves webhooks until the standard input ends. `post` and `get` return a body and a status."""

        class Receiver(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.respond(*post(self.rfile.read(int(self.headers["content-length"])), self.headers))

            def do_GET(self):
                self.respond(*get(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))))

            def respond(self, text, status):
                content = str(text).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/"
