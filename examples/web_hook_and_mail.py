"""For each event a web hook is called; a critical one is mailed too.

    python examples/web_hook_and_mail.py URL MAIL-HOST MAIL-PORT FROM TO

Events are the lines that you type, such as "CRITICAL smoke in the cellar". Calling a web hook and sending a mail block,
so each is done by a threaded component around the standard library: while one of them waits for a slow server, all
else goes on. on_error = "skip" means that an event which could not be told is logged, and the next one is tried.
"""

import json
import smtplib
import sys
import urllib.request
from email.message import EmailMessage

from axonlike import Pipeline, ThreadedComponent, step
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.util import ConsoleReader

url, mail_host, mail_port, sender, receiver = sys.argv[1:]


class CallWebHook(ThreadedComponent):
    on_error = "skip"

    def main(self):
        while True:
            event = self.recv("inbox")
            body = json.dumps({"event": event}).encode()
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10):
                print(f"web hook called: {event}")


class SendMail(ThreadedComponent):
    on_error = "skip"

    def main(self):
        while True:
            event = self.recv("inbox")
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Subject"] = sender, receiver, event
            mail.set_content(f"This has happened: {event}")
            with smtplib.SMTP(mail_host, int(mail_port), timeout=10) as server:
                server.send_message(mail)
            print(f"mail sent: {event}")


@step
def critical(event):
    return event if event.startswith("CRITICAL") else None


Backplane("Events").activate()
Pipeline(SubscribeTo("Events"), CallWebHook()).activate()
Pipeline(SubscribeTo("Events"), critical, SendMail()).activate()
Pipeline(ConsoleReader(), PublishTo("Events")).run()
