"""PyWa: every call that it offers for the Cloud API, and a bot that receives webhooks."""

import datetime
import inspect
import logging

import httpx
import pywa
from python_client import LINK, PNG, Program
from pywa import types
from pywa.types import calls, templates
from pywa.types.flows import FlowJSON

# Methods that make no request.
LOCAL = {
    "add_flow_request_handler",
    "add_handlers",
    "get_flow_request_handler",
    "listen",
    "load_handlers_modules",
    "remove_callbacks",
    "remove_handlers",
    "run",
    "stop_listening",
    "webhook_challenge_handler",
    "webhook_update_handler",
    "webhook_update_validator",
}
# The listeners of all updates that the bot gets.
ON_UPDATE = [
    "on_message",
    "on_callback_button",
    "on_callback_selection",
    "on_message_status",
    "on_phone_number_change",
    "on_identity_change",
    "on_template_status_update",
    "on_flow_completion",
    "on_call_connect",
    "on_call_terminate",
    "on_call_status",
    "on_call_permission_update",
    "on_user_marketing_preferences",
    "on_edited_message",
    "on_deleted_message",
    "on_account_update",
]
PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuX8xq8hKQm1MHCdMCXB5
15rC2Uz7xQS4tGjLsDHWdOaqQe+rlxUVxLnFSzSxuL8NQt7Hx9IqGKWk5lfQIRzJ
5COpIRQ3dS/YNH6GAJFmy1j/5qQ1VCF17WCRxRWx6XW8AcXkkT7VZ5rTjp5Y7Bzg
aOqK8+7q5bgf0QZEjGrBI8yH1cXDCvmx/T6A/H9oJWSHVnP5lRRMq2nv2OtLZO80
pDFN05VSRCKl5MK2LOtnqN9DcEcx7EEpoPtNJf1WRfRmLS850D4NtCOz3UL7V5I9
TaBdpzElupOfGJyi20rJXGJv4xVVEfHGAN3KA0LdHOuPW7lCiKqrap5B/dfnN3QS
WwIDAQAB
-----END PUBLIC KEY-----
"""


def sent(message):
    return message.id.startswith("wamid.")


def succeeded(result):
    return result.success


def session(sdp_type):
    return calls.SessionDescription(sdp_type=sdp_type, sdp="v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")


def bot(settings):
    """Returns a PyWa client whose Graph API is the simulated WhatsApp."""
    session = httpx.Client(timeout=30)
    wa = pywa.WhatsApp(
        phone_id=settings["phone"],
        token=settings["token"],
        waba_id=settings["waba"],
        app_id=settings["app"],
        app_secret=settings["appSecret"],
        verify_token=settings["verifyToken"],
        server=None,
        session=session,
    )
    session.base_url = f"{settings['graph']}/v26.0"
    return wa


def send(program, wa):
    call, customer = program.call, program.customer

    call("send_message", lambda: wa.send_message(customer()[0], "Hello *there*", preview_url=True), sent)
    call("send_text", lambda: wa.send_text(customer()[0], "Hello", tracker="tracker"), sent)
    to, wamid = customer()
    call("send_message (reply)", lambda: wa.send_message(to, "Hello", reply_to_message_id=wamid), sent)
    buttons = [types.Button("Yes", "yes"), types.Button("No", "no")]
    call("send_message (buttons)", lambda: wa.send_message(customer()[0], "Really?", "Header", "Footer", buttons), sent)
    url = types.URLButton("Open", "https://example.com")
    call("send_message (URL button)", lambda: wa.send_message(customer()[0], "Look", buttons=url), sent)
    rows = [types.SectionRow("One", "1", "First"), types.SectionRow("Two", "2")]
    section_list = types.SectionList("Choose", [types.Section("Section", rows)])
    call("send_message (list)", lambda: wa.send_message(customer()[0], "Choose", "Header", buttons=section_list), sent)
    voice = types.VoiceCallButton("Call us", 60)
    call("send_message (voice call button)", lambda: wa.send_message(customer()[0], "Call", buttons=voice), sent)
    permission = types.CallPermissionRequestButton()
    call("send_message (call permission)", lambda: wa.send_message(customer()[0], "May we?", buttons=permission), sent)
    flow = types.FlowButton("Start", "1234567890", "token", types.FlowActionType.NAVIGATE, "FIRST")
    call("send_message (flow)", lambda: wa.send_message(customer()[0], "Fill in", buttons=flow), sent)

    call("send_image (link)", lambda: wa.send_image(customer()[0], f"{LINK}.png", "Caption"), sent)
    image = call("upload_media", lambda: wa.upload_media(PNG, "image/png", "image.png"), lambda media: media.id)
    call("send_image (id)", lambda: wa.send_image(customer()[0], image.id, "Caption"), sent)
    call("send_image (upload)", lambda: wa.send_image(customer()[0], PNG, mime_type="image/png"), sent)
    call("send_image (buttons)", lambda: wa.send_image(customer()[0], image.id, "Caption", "Footer", buttons), sent)
    call("send_video (link)", lambda: wa.send_video(customer()[0], f"{LINK}.mp4", "Caption"), sent)
    call("send_document (link)", lambda: wa.send_document(customer()[0], f"{LINK}.pdf", "a.pdf", "Caption"), sent)
    document = b"%PDF-1.4\n%%EOF\n"
    call(
        "send_document (upload)",
        lambda: wa.send_document(customer()[0], document, "a.pdf", mime_type="application/pdf"),
        sent,
    )
    call("send_audio (link)", lambda: wa.send_audio(customer()[0], f"{LINK}.mp3"), sent)
    call("send_voice (link)", lambda: wa.send_voice(customer()[0], f"{LINK}.ogg"), sent)
    call("send_sticker (link)", lambda: wa.send_sticker(customer()[0], f"{LINK}.webp"), sent)
    cards = [types.ImageCarouselCard(body="Card", buttons=url, image=f"{LINK}{n}.png") for n in (1, 2)]
    call("send_carousel", lambda: wa.send_carousel(customer()[0], body="Cards", cards=cards), sent)

    call("send_reaction", lambda: wa.send_reaction(to, "👍", wamid), sent)
    call("remove_reaction", lambda: wa.remove_reaction(to, wamid), sent)
    call("send_location", lambda: wa.send_location(customer()[0], 30.04, 31.24, "Cairo", "Tahrir Square"), sent)
    call("request_location", lambda: wa.request_location(customer()[0], "Where are you?"), sent)
    call("request_contact_info", lambda: wa.request_contact_info(customer()[0], "Your number?"), sent)
    contact = types.Contact(
        types.Contact.Name("Ada Lovelace", first_name="Ada"), phones=[types.Contact.Phone("+201001234567")]
    )
    call("send_contact", lambda: wa.send_contact(customer()[0], contact), sent)
    call("send_catalog", lambda: wa.send_catalog(customer()[0], "Our catalog", thumbnail_product_sku="1"), sent)
    call("send_product", lambda: wa.send_product(customer()[0], "1", "1", "A product"), sent)
    sections = [types.ProductsSection("Section", ["1", "2"])]
    call("send_products", lambda: wa.send_products(customer()[0], "1", sections, "Products", "Our products"), sent)
    call("mark_message_as_read", lambda: wa.mark_message_as_read(wamid), succeeded)
    call("indicate_typing", lambda: wa.indicate_typing(wamid), succeeded)
    call("pin_message", lambda: wa.pin_message("group", "wamid.1", expiration_days=7), sent)
    call("unpin_message", lambda: wa.unpin_message("group", "wamid.1"), sent)

    call("get_media_url", lambda: wa.get_media_url(image.id), lambda media: media.mime_type == "image/png")
    location = lambda: wa.get_media_url(image.id).url
    call("get_media_bytes", lambda: wa.get_media_bytes(location()), lambda content: content == PNG)
    call(
        "download_media",
        lambda: wa.download_media(url=location(), path=program.settings["folder"]),
        lambda file: file.read_bytes() == PNG,
    )
    call("stream_media", lambda: b"".join(wa.stream_media(location())), lambda content: content == PNG)
    call("delete_media", lambda: wa.delete_media(image.id), succeeded)


def manage_templates(program, wa):
    call, customer = program.call, program.customer
    english, utility = templates.TemplateLanguage.ENGLISH_US, templates.TemplateCategory.UTILITY

    call("send_template (hello_world)", lambda: wa.send_template(customer()[0], "hello_world", english), sent)
    body = templates.BodyText(
        "Your order {{1}} has left our warehouse and arrives on {{2}} before noon.", "4711", "Monday"
    )
    reply, link = templates.QuickReplyButton(text="Stop"), templates.URLButton(
        text="Track", url="https://example.com/{{1}}", example="4711"
    )
    order = templates.Template(
        name="order_pywa",
        language=english,
        category=utility,
        components=[
            templates.HeaderText("Your order"),
            body,
            templates.FooterText(text="Thanks"),
            templates.Buttons(buttons=[reply, link]),
        ],
    )
    created = call("create_template", lambda: wa.create_template(order), lambda created: created.id)
    named = templates.Template(
        name="named_pywa",
        language=english,
        category=utility,
        parameter_format=templates.ParamFormat.NAMED,
        components=[templates.BodyText("Hello {{name}}, welcome to our shop in the city.", name="Ada")],
    )
    call("create_template (named)", lambda: wa.create_template(named), lambda created: created.id)
    promotion = templates.Template(
        name="image_pywa",
        language=english,
        category=templates.TemplateCategory.MARKETING,
        components=[templates.HeaderImage(PNG, mime_type="image/png"), templates.BodyText("Sale")],
    )
    call("create_template (image)", lambda: wa.create_template(promotion), lambda created: created.id)
    library = templates.LibraryTemplate(
        name="library_pywa", library_template_name="delivery_update_1", category=utility, language=english
    )
    call("create_template (library)", lambda: wa.create_template(library), lambda created: created.id)
    otp = templates.CopyCodeOTPButton()
    call(
        "upsert_authentication_template",
        lambda: wa.upsert_authentication_template(
            name="upserted_pywa",
            languages=[english],
            otp_button=otp,
            add_security_recommendation=True,
            code_expiration_minutes=5,
        ),
        lambda result: len(list(result)) == 1,
    )
    code = templates.Template(
        name="code_pywa",
        language=english,
        category=templates.TemplateCategory.AUTHENTICATION,
        components=[templates.AuthenticationBody(), templates.Buttons(buttons=[otp])],
    )
    call("create_template (authentication)", lambda: wa.create_template(code), lambda created: created.id)
    call(
        "send_template",
        lambda: wa.send_template(
            customer()[0],
            "order_pywa",
            english,
            [
                body.params("4711", "Monday"),
                reply.params(callback_data="stop", index=0),
                link.params(url_variable="4711", index=1),
            ],
        ),
        sent,
    )
    call(
        "send_template (named)",
        lambda: wa.send_template(customer()[0], template=named, params=[named.components[0].params(name="Ada")]),
        sent,
    )
    call(
        "send_template (image)",
        lambda: wa.send_template(
            customer()[0], "image_pywa", english, [templates.HeaderImage.params(image=PNG, mime_type="image/png")]
        ),
        sent,
    )
    call(
        "send_template (authentication)",
        lambda: wa.send_template(
            customer()[0],
            "code_pywa",
            english,
            [templates.AuthenticationBody.params(otp="1234"), templates.CopyCodeOTPButton.params(otp="1234")],
        ),
        sent,
    )
    call(
        "send_template (marketing messages)",
        lambda: wa.send_template(
            customer()[0],
            "image_pywa",
            english,
            [templates.HeaderImage.params(image=f"{LINK}.png")],
            use_mm_lite_api=True,
            message_activity_sharing=True,
        ),
        sent,
    )
    call("get_templates", lambda: wa.get_templates(), lambda result: "order_pywa" in [one.name for one in result])
    call("get_templates (name)", lambda: list(wa.get_templates(name="order_pywa")), lambda result: len(result) == 1)
    call("get_template", lambda: wa.get_template(created.id), lambda template: template.name == "order_pywa")
    body = templates.BodyText(
        "The order {{1}} has left our warehouse and arrives on {{2}} before noon.", "4711", "Monday"
    )
    call("update_template", lambda: wa.update_template(created.id, new_components=[body]), succeeded)
    now = datetime.datetime.now()
    call(
        "compare_templates",
        lambda: wa.compare_templates(created.id, "1", start=now - datetime.timedelta(days=7), end=now),
        lambda result: result is not None,
    )
    call("archive_templates", lambda: wa.archive_templates([created.id]), lambda result: result is not None)
    call("unarchive_templates", lambda: wa.unarchive_templates([created.id]), lambda result: result is not None)
    call("unpause_template", lambda: wa.unpause_template(created.id), lambda result: result is not None)
    call("migrate_templates", lambda: wa.migrate_templates("1"), lambda result: result is not None)
    call("delete_template", lambda: wa.delete_template("order_pywa"), succeeded)


def manage_account(program, wa):
    call, settings = program.call, program.settings

    portfolio = settings["portfolio"]
    is_account = lambda account: account.id == settings["waba"]
    call("get_business_account", lambda: wa.get_business_account(), is_account)
    call(
        "get_shared_business_accounts",
        lambda: list(wa.get_shared_business_accounts(business_portfolio_id=portfolio)),
        lambda result: result is not None,
    )
    call(
        "get_owned_business_accounts",
        lambda: list(wa.get_owned_business_accounts(business_portfolio_id=portfolio)),
        lambda result: is_account(result[0]),
    )
    spec = templates.DegreesOfFreedomSpec(creative_features_spec=templates.CreativeFeaturesSpec(image_touchups=True))
    call(
        "update_business_account_settings",
        lambda: wa.update_business_account_settings(
            disable_marketing_messages_on_cloud_api=False, degrees_of_freedom_spec=spec
        ),
        lambda _: True,
    )
    is_number = lambda number: number.id == settings["phone"]
    call("get_business_phone_number", lambda: wa.get_business_phone_number(), is_number)
    call(
        "get_business_phone_numbers",
        lambda: list(wa.get_business_phone_numbers()),
        lambda numbers: is_number(numbers[0]),
    )
    call("get_business_phone_number_settings", lambda: wa.get_business_phone_number_settings())
    change = types.UserIdentityChangeSettings(enable_identity_key_check=False)
    call(
        "update_business_phone_number_settings",
        lambda: wa.update_business_phone_number_settings(user_identity_change=change),
        succeeded,
    )
    commands = [types.Command("help", "Get help")]
    call(
        "update_conversational_automation",
        lambda: wa.update_conversational_automation(["Where is my order?"], commands),
        succeeded,
    )
    prompts = lambda number: number.conversational_automation.ice_breakers
    call("get_business_phone_number (automation)", lambda: wa.get_business_phone_number(), prompts)
    call("update_display_name", lambda: wa.update_display_name("Qasid"), succeeded)
    call(
        "update_business_profile",
        lambda: wa.update_business_profile(about="Open", description="A shop", websites=["https://example.com"]),
        succeeded,
    )
    call("update_business_profile (picture)", lambda: wa.update_business_profile(profile_picture=PNG), succeeded)
    call("get_business_profile", lambda: wa.get_business_profile(), lambda profile: profile.about == "Open")
    call("set_business_public_key", lambda: wa.set_business_public_key(PUBLIC_KEY), succeeded)
    call("update_commerce_settings", lambda: wa.update_commerce_settings(True, True), succeeded)
    call("get_commerce_settings", lambda: wa.get_commerce_settings(), lambda commerce: commerce.is_cart_enabled)
    call("set_username", lambda: wa.set_username("qasid_shop"))
    call("get_current_username", lambda: wa.get_current_username(), lambda status: status.username == "qasid_shop")
    call("get_reserved_usernames", lambda: wa.get_reserved_usernames(), lambda names: names is not None)
    call("delete_username", lambda: wa.delete_username(), succeeded)

    created = call("create_qr_code", lambda: wa.create_qr_code("Hello"), lambda code: code.prefilled_message == "Hello")
    call("get_qr_code", lambda: wa.get_qr_code(created.code), lambda code: code.prefilled_message == "Hello")
    call("get_qr_codes", lambda: [code.code for code in wa.get_qr_codes()], lambda codes: created.code in codes)
    call("update_qr_code", lambda: wa.update_qr_code(created.code, "Bye"), lambda code: code.prefilled_message == "Bye")
    call("delete_qr_code", lambda: wa.delete_qr_code(created.code), succeeded)

    to, _ = program.customer()
    call("block_users", lambda: wa.block_users([to]), lambda result: len(result.added_users) == 1)
    call("get_blocked_users", lambda: [user.wa_id for user in wa.get_blocked_users()], lambda users: to in users)
    call("unblock_users", lambda: wa.unblock_users([to]), lambda result: len(result.removed_users) == 1)

    added = call(
        "create_phone_number",
        lambda: wa.create_phone_number(country_calling_code="1", phone_number="5550001111", verified_name="Second"),
        lambda number: number.id,
    ).id
    call(
        "request_verification_code",
        lambda: wa.request_verification_code(code_method="SMS", language_code="en", phone_id=added),
        succeeded,
    )
    call("verify_phone_number", lambda: wa.verify_phone_number(program.verification_code(added), added), succeeded)
    call("register_phone_number", lambda: wa.register_phone_number("123456", phone_id=added), succeeded)
    call("deregister_phone_number", lambda: wa.deregister_phone_number(phone_id=added), succeeded)

    signup = call(
        "create_signup",
        lambda: wa.create_signup("Join", "Thanks", "https://example.com/privacy", accept_policy=True),
        lambda signup: signup.id,
    )
    call("get_signups", lambda: list(wa.get_signups()))
    call("get_signup", lambda: wa.get_signup(signup.id if signup else "1"))
    call("update_signup", lambda: wa.update_signup(signup.id if signup else "1", message="Join us"), succeeded)


def manage_webhooks(program, wa, url):
    call, settings = program.call, program.settings
    app, secret, verify_token = settings["app"], settings["appSecret"], settings["verifyToken"]

    token = call("get_app_access_token", lambda: wa.get_app_access_token(app, secret))
    call(
        "set_app_callback_url",
        lambda: wa.set_app_callback_url(
            app, token, url, verify_token, ["messages", "calls", "message_template_status_update"]
        ),
        succeeded,
    )
    call("override_waba_callback_url", lambda: wa.override_waba_callback_url(url, verify_token), succeeded)
    call("delete_waba_callback_url", lambda: wa.delete_waba_callback_url(), succeeded)
    call("override_phone_callback_url", lambda: wa.override_phone_callback_url(url, verify_token), succeeded)
    call("delete_phone_callback_url", lambda: wa.delete_phone_callback_url(), succeeded)


def call_users(program, wa):
    call = program.call

    to, _ = program.customer()
    call("get_call_permissions", lambda: wa.get_call_permissions(to))
    call("initiate_call", lambda: wa.initiate_call(to, session("offer")), lambda made: made.id)
    incoming = program.incoming_call()
    call("pre_accept_call", lambda: wa.pre_accept_call(incoming, session("answer")), succeeded)
    call("accept_call", lambda: wa.accept_call(incoming, session("answer"), tracker="tracker"), succeeded)
    call("terminate_call", lambda: wa.terminate_call(incoming), succeeded)
    call("reject_call", lambda: wa.reject_call(program.incoming_call()), succeeded)


def manage_groups(program, wa):
    call = program.call

    group = call("create_group", lambda: wa.create_group(subject="Group"))
    identifier = group.group_id if group else "1"
    call("get_group", lambda: wa.get_group(identifier))
    call("get_groups", lambda: list(wa.get_groups()))
    call("get_group_join_requests", lambda: wa.get_group_join_requests(identifier))
    call("approve_group_join_requests", lambda: wa.approve_group_join_requests(identifier, ["1"]))
    call("reject_group_join_requests", lambda: wa.reject_group_join_requests(identifier, ["1"]))
    call("get_group_invite_link", lambda: wa.get_group_invite_link(identifier))
    call("reset_group_invite_link", lambda: wa.reset_group_invite_link(identifier))
    call("remove_group_participants", lambda: wa.remove_group_participants(identifier, ["1"]))
    call("update_group_settings", lambda: wa.update_group_settings(identifier, subject="Group 2", profile_picture=PNG))
    call("delete_group", lambda: wa.delete_group(identifier))


def manage_flows(program, wa):
    call = program.call

    flow = call("create_flow", lambda: wa.create_flow("flow", [types.FlowCategory.OTHER]))
    identifier = flow.id if flow else "1"
    call("get_flow", lambda: wa.get_flow(identifier))
    call("get_flows", lambda: list(wa.get_flows()))
    call("update_flow_metadata", lambda: wa.update_flow_metadata(identifier, name="flow 2"), succeeded)
    call("update_flow_json", lambda: wa.update_flow_json(identifier, FlowJSON(version="7.3", screens=[])))
    call("get_flow_assets", lambda: list(wa.get_flow_assets(identifier)))
    call(
        "get_flow_metrics",
        lambda: wa.get_flow_metrics(
            identifier, types.FlowMetricName.ENDPOINT_REQUEST_COUNT, types.FlowMetricGranularity.DAY
        ),
    )
    call("publish_flow", lambda: wa.publish_flow(identifier), succeeded)
    call("deprecate_flow", lambda: wa.deprecate_flow(identifier), succeeded)
    call("delete_flow", lambda: wa.delete_flow(identifier), succeeded)
    call("migrate_flows", lambda: wa.migrate_flows("1", ["flow"]))


def summary(update):
    """Returns the kind, the ID, and the content of an update in the form that `.ci/verify-clients` expects."""
    match update:
        case types.Message(type=types.MessageType.TEXT):
            content = update.text
        case types.Message(media=media) if media is not None:
            content = media.id
        case types.Message(location=location) if location is not None:
            content = [location.latitude, location.longitude]
        case types.Message(contacts=contacts) if contacts:
            content = contacts[0].name.formatted_name
        case types.Message(reaction=reaction) if reaction is not None:
            content = reaction.emoji
        case types.Message(order=order) if order is not None:
            content = order.products[0].sku
        case types.Message(type=types.MessageType.UNSUPPORTED):
            content = update.error.code
        case types.CallbackButton() | types.CallbackSelection():
            content = update.data
        case types.FlowCompletion():
            content = {"flow_token": update.token, **update.response}
        case types.EditedMessage():
            return {"kind": "edit", "id": update.id, "content": update.message.text}
        case types.DeletedMessage():
            content = update.original_message_id
        case types.PhoneNumberChange():
            content = update.new_wa_id
        case types.MessageStatus():
            return {"kind": "status", "id": update.id, "content": update.status.value}
        case types.TemplateStatusUpdate():
            return {"kind": "template status", "id": update.template_id, "content": update.new_status.value}
        case types.AccountUpdate():
            return {"kind": "account", "id": update.id, "content": update.event.value}
        case types.CallConnect() | types.CallTerminate():
            return {"kind": "call", "id": update.id, "content": update.event.value}
        case _:
            content = type(update).__name__
    kind = update.type.value if hasattr(update, "type") else None
    return {"kind": kind, "id": update.id, "content": content}


def main():
    logging.getLogger("pywa").setLevel(logging.CRITICAL)
    program = Program()
    wa = bot(program.settings)
    updates = []
    for listen in ON_UPDATE:
        getattr(wa, listen)(lambda _, update: updates.append(summary(update)))

    def post(body, headers):
        refusal = wa.webhook_update_validator(body, headers["x-hub-signature-256"])
        if refusal:
            program.report(webhook=None, error=f"signature refused: {refusal}")
            return refusal
        try:
            response = wa.webhook_update_handler(body)
            program.report(webhook=updates[:], error=None)
        except Exception as problem:
            program.report(webhook=updates[:], error=f"{type(problem).__name__}: {problem}")
            response = "error", 500
        updates.clear()
        return response

    def get(query):
        return wa.webhook_challenge_handler(query.get("hub.verify_token"), query.get("hub.challenge"))

    url = program.receive(post, get)
    send(program, wa)
    manage_templates(program, wa)
    manage_account(program, wa)
    call_users(program, wa)
    manage_groups(program, wa)
    manage_flows(program, wa)
    # Last, because the bot then gets webhooks.
    manage_webhooks(program, wa, url)
    methods = [name for name, _ in inspect.getmembers(pywa.WhatsApp, inspect.isfunction)]
    program.report_uncalled(name for name in methods if not name.startswith(("_", "on_")) and name not in LOCAL)
    program.wait(url)


if __name__ == "__main__":
    main()
