"""heyoo: every call that it offers, and a bot that parses webhooks. heyoo can't verify their signatures."""

import inspect
import json
import logging
import pathlib

import heyoo
from python_client import LINK, PNG, Program

# Methods that make no request.
LOCAL = {"create_button", "preprocess", "is_message", "changed_field"}


def sent(answer):
    return answer["messages"][0]["id"].startswith("wamid.")


def succeeded(answer):
    return answer["success"]


def bot(settings):
    """Returns a heyoo client whose Graph API is the simulated WhatsApp."""
    wa = heyoo.WhatsApp(settings["token"], settings["phone"])
    wa.base_url, wa.v15_base_url = f"{settings['graph']}/v22.0", f"{settings['graph']}/v23.0"
    wa.url = f"{wa.base_url}/{settings['phone']}/messages"
    return wa


def make_calls(program, wa):
    call, customer = program.call, program.customer
    folder = pathlib.Path(program.settings["folder"])

    call("send_message", lambda: wa.send_message("Hello", customer()[0]), sent)
    to, wamid = customer()
    call("send_reaction", lambda: wa.send_reaction("👍", wamid, to), sent)
    call("reply_to_message", lambda: wa.reply_to_message(wamid, to, "Hello"), sent)
    call("send_template", lambda: wa.send_template("hello_world", customer()[0], []), sent)
    call("send_location", lambda: wa.send_location("30.04", "31.24", "Cairo", "Tahrir Square", customer()[0]), sent)
    file = folder / "heyoo.png"
    file.write_bytes(PNG)
    media = call("upload_media", lambda: wa.upload_media(str(file)), lambda media: media["id"])
    call("send_image (link)", lambda: wa.send_image(f"{LINK}.png", customer()[0], caption="Caption"), sent)
    call("send_image (id)", lambda: wa.send_image(media["id"], customer()[0], link=False), sent)
    call("send_sticker (link)", lambda: wa.send_sticker(f"{LINK}.webp", customer()[0]), sent)
    call("send_audio (link)", lambda: wa.send_audio(f"{LINK}.mp3", customer()[0]), sent)
    call("send_video (link)", lambda: wa.send_video(f"{LINK}.mp4", customer()[0], "Caption"), sent)
    call("send_document (link)", lambda: wa.send_document(f"{LINK}.pdf", customer()[0], "Caption"), sent)
    custom = {"messaging_product": "whatsapp", "type": "text", "text": {"body": "Hello"}}
    call("send_custom_json", lambda: wa.send_custom_json(custom, customer()[0]), sent)
    contact = {"name": {"formatted_name": "Ada Lovelace", "first_name": "Ada"}, "phones": [{"phone": "+201001234567"}]}
    call("send_contacts", lambda: wa.send_contacts([contact], customer()[0]), sent)
    rows = [{"id": "1", "title": "One", "description": "First"}]
    sections = [{"title": "Section", "rows": rows}]
    section_list = {
        "header": "Header",
        "body": "Body",
        "footer": "Footer",
        "action": {"button": "Choose", "sections": sections},
    }
    call("send_button", lambda: wa.send_button(section_list, customer()[0]), sent)
    buttons = {
        "type": "button",
        "body": {"text": "Really?"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]},
    }
    call("send_reply_button", lambda: wa.send_reply_button(buttons, customer()[0]), sent)
    call("mark_as_read", lambda: wa.mark_as_read(wamid), succeeded)
    url = call("query_media_url", lambda: wa.query_media_url(media["id"]))
    call(
        "download_media",
        lambda: wa.download_media(url, "image/png", str(folder / "downloaded")),
        lambda path: pathlib.Path(path).read_bytes() == PNG,
    )
    call("delete_media", lambda: wa.delete_media(media["id"]), succeeded)


def summary(wa, data):
    """Returns the updates of a webhook in the form that `.ci/verify-clients` expects."""
    if wa.changed_field(data) != "messages":
        return []
    if not wa.is_message(data):
        # heyoo returns the status without the message's ID.
        return [{"kind": "status", "id": None, "content": wa.get_delivery(data)}]
    kind = wa.get_message_type(data)
    match kind:
        case "text":
            content = wa.get_message(data)
        case "image" | "video" | "audio" | "document":
            content = getattr(wa, f"get_{kind}")(data)["id"]
        case "location":
            location = wa.get_location(data)
            content = [location["latitude"], location["longitude"]]
        case "interactive":
            answer = wa.get_interactive_response(data)
            content = answer[answer["type"]]["id"]
        case _:
            # heyoo has no other parsers.
            return []
    assert wa.get_mobile(data) and wa.get_name(data) and wa.get_message_timestamp(data)
    return [{"kind": kind, "id": wa.get_message_id(data), "content": content}]


def main():
    logging.disable(logging.CRITICAL)
    program = Program()
    wa = bot(program.settings)

    def post(body, _):
        try:
            program.report(webhook=summary(wa, json.loads(body)), error=None)
        except Exception as problem:
            program.report(webhook=[], error=f"{type(problem).__name__}: {problem}")
        return "ok", 200

    def get(query):
        # heyoo has no function for the verification.
        return query["hub.challenge"], 200

    url = program.receive(post, get)
    make_calls(program, wa)
    methods = [name for name, _ in inspect.getmembers(heyoo.WhatsApp, inspect.isfunction)]
    program.report_uncalled(name for name in methods if not name.startswith(("_", "get_")) and name not in LOCAL)
    program.wait(url)


if __name__ == "__main__":
    main()
