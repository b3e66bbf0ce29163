use super::*;

const WABA_ID: &str = "102290129340398";
const NOW: i64 = 1_750_000_000;

fn request(change: &Value) -> Parameters {
    let mut request = json!({"name": "order_ready", "language": "en_US", "category": "utility", "components": [
        {"type": "BODY", "text": "Your order {{1}} is ready.", "example": {"body_text": [["1"]]}},
        {"type": "FOOTER", "text": "Lucky Shrub"},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Open", "url": "https://example.org"},
            {"type": "QUICK_REPLY", "text": "Stop"}]},
    ]});
    for (key, value) in change.as_object().unwrap() {
        request[key] = value.clone();
    }
    let Value::Object(request) = request else { panic!("not an object") };
    Parameters(request)
}

fn create(templates: &mut Templates, change: &Value) -> Result<(Template, Option<AccountUpdate>), GraphError> {
    templates.create(WABA_ID, &request(change), NOW)
}

/// Returns templates and the ID of an approved one.
fn with_template() -> (Templates, String) {
    let mut templates = Templates::new(WABA_ID);
    let id = create(&mut templates, &json!({})).unwrap().0.id;
    (templates, id)
}

fn parameters(value: Value) -> Parameters {
    let Value::Object(parameters) = value else { panic!("not an object") };
    Parameters(parameters)
}

fn message(name: &str) -> Value {
    json!({"name": name, "language": {"code": "en_US"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "7"}]}]})
}

#[test]
fn a_new_template_is_pending_and_then_approved() {
    let mut templates = Templates::new(WABA_ID);
    let (template, update) = create(&mut templates, &json!({})).unwrap();
    assert_eq!(template.status, TemplateStatus::Pending);
    assert_eq!(templates.get(&template.id).unwrap().status, TemplateStatus::Approved);
    let update = update.unwrap();
    assert_eq!((update.waba_id.as_str(), update.field), (WABA_ID, "message_template_status_update"));
    assert_eq!(
        update.value,
        json!({
            "event": "APPROVED",
            "message_template_id": FIRST_ID + 1,
            "message_template_name": "order_ready",
            "message_template_language": "en_US",
            "message_template_category": "UTILITY",
            "reason": "NONE",
        })
    );
    assert_eq!(templates.check_message(WABA_ID, &message("order_ready"), false).unwrap().id, template.id);
}

#[test]
fn a_template_of_an_invalid_format_is_rejected() {
    let mut templates = Templates::new(WABA_ID);
    let body = json!([{"type": "BODY", "text": "Your order {{order}} is ready.", "example": {"body_text": [["1"]]}}]);
    let (template, update) = create(&mut templates, &json!({"components": body})).unwrap();
    let value = update.unwrap().value;
    assert_eq!((&value["event"], &value["reason"]), (&json!("REJECTED"), &json!("INVALID_FORMAT")));
    assert!(value["rejection_info"]["recommendation"].as_str().unwrap().contains("NAMED"));
    let fields = templates.get(&template.id).unwrap().fields(Some(&["rejected_reason".to_owned()])).unwrap();
    assert_eq!(fields, json!({"id": template.id, "rejected_reason": "INVALID_FORMAT"}));
}

#[test]
fn invalid_requests_are_refused() {
    let (mut templates, _) = with_template();
    let name = |name: String| json!({"name": name});
    create(&mut templates, &name("a".repeat(512))).unwrap();
    create(&mut templates, &json!({"language": "ar"})).unwrap();
    for (change, subcode) in [
        (json!({"name": null}), 0),
        (json!({"language": null}), 0),
        (json!({"category": null}), 0),
        (json!({"components": null}), 0),
        (json!({"language": "en-US"}), 0),
        (json!({"category": "SALES"}), 0),
        (json!({"parameter_format": "ROMAN"}), 0),
        (json!({"name": "a".repeat(513)}), 2_388_040),
        (name("Order".to_owned()), 2_388_046),
        (name("order ready".to_owned()), 2_388_046),
        (name("hello_world".to_owned()), 2_388_155),
        (json!({}), 2_388_024),
        (json!({"name": "ttl", "message_send_ttl_seconds": 29}), 0),
        (json!({"name": "ttl", "message_send_ttl_seconds": 43_201}), 0),
        (json!({"name": "ttl", "category": "MARKETING", "message_send_ttl_seconds": 43_199}), 0),
        (json!({"name": "ttl", "category": "MARKETING", "message_send_ttl_seconds": -1}), 0),
    ] {
        let error = create(&mut templates, &change).unwrap_err();
        assert_eq!((error.code, error.subcode.unwrap_or_default()), (100, subcode), "{change}");
    }
    create(&mut templates, &json!({"name": "ttl", "message_send_ttl_seconds": "43200"})).unwrap();
    create(&mut templates, &json!({"name": "ttl_month", "message_send_ttl_seconds": -1})).unwrap();
}

#[test]
fn an_account_has_a_maximum_of_templates() {
    let mut templates = Templates::new(WABA_ID);
    for index in 1..250 {
        create(&mut templates, &json!({"name": format!("template_{index}")})).unwrap();
    }
    assert_eq!(create(&mut templates, &json!({"name": "more"})).unwrap_err().subcode, Some(2_388_019));
    templates.create("2", &request(&json!({})), NOW).unwrap();
}

#[test]
fn only_approved_templates_can_be_sent() {
    use TemplateStatus::{Approved, Disabled, Paused, Pending, Rejected};
    let (mut templates, id) = with_template();
    for (status, code) in [(Paused, 132_015), (Disabled, 132_016), (Pending, 132_001), (Rejected, 132_001)] {
        templates.change_status(&id, status, None, NOW).unwrap();
        let error = templates.check_message(WABA_ID, &message("order_ready"), false).unwrap_err();
        assert_eq!(error.code, code, "{status:?}");
    }
    templates.change_status(&id, Approved, None, NOW).unwrap();
    templates.check_message(WABA_ID, &message("order_ready"), false).unwrap();
    let mut in_arabic = message("order_ready");
    in_arabic["language"]["code"] = json!("ar");
    for content in [message("other"), in_arabic] {
        let error = templates.check_message(WABA_ID, &content, false).unwrap_err();
        assert_eq!((error.code, error.status), (132_001, 404));
        assert!(error.details.unwrap().starts_with("template name ("));
    }
    let error = templates.check_message("2", &message("order_ready"), false).unwrap_err();
    assert_eq!(error.code, 132_001);
}

#[test]
fn hello_world_exists_from_the_start() {
    let templates = Templates::new(WABA_ID);
    let content = json!({"name": "hello_world", "language": {"code": "en_US", "policy": "deterministic"}});
    templates.check_message(WABA_ID, &content, false).unwrap();
}

#[test]
fn a_code_needs_a_phone_number() {
    let mut templates = Templates::new(WABA_ID);
    let components =
        json!([{"type": "BODY"}, {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]}]);
    let change = json!({"category": "AUTHENTICATION", "components": components});
    create(&mut templates, &change).unwrap();
    let mut content = message("order_ready");
    let button =
        json!({"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "7"}]});
    content["components"].as_array_mut().unwrap().push(button);
    templates.check_message(WABA_ID, &content, false).unwrap();
    assert_eq!(templates.check_message(WABA_ID, &content, true).unwrap_err().code, 131_062);
}

#[test]
fn an_impossible_status_is_refused() {
    let (mut templates, id) = with_template();
    templates.change_status(&id, TemplateStatus::Paused, None, NOW).unwrap();
    let error = templates.change_status(&id, TemplateStatus::Rejected, None, NOW).unwrap_err();
    assert_eq!(error, "order_ready is PAUSED: a template with this status can't become REJECTED");
    let error = templates.change_status(&id, TemplateStatus::Disabled, Some("SCAM"), NOW).unwrap_err();
    assert_eq!(error, "reason requires the status REJECTED");
}

#[test]
fn webhooks_tell_about_pauses() {
    use TemplateStatus::{Approved, Disabled, Paused};
    let (mut templates, id) = with_template();
    let mut change = |status| templates.change_status(&id, status, None, NOW).unwrap().value;
    assert_eq!(change(Paused)["other_info"]["title"], "FIRST_PAUSE");
    assert_eq!(change(Approved)["other_info"]["title"], "UNPAUSE");
    assert_eq!(change(Paused)["other_info"]["title"], "SECOND_PAUSE");
    assert_eq!(change(Disabled)["disable_info"], json!({"disable_date": NOW}));
    let reinstated = change(Approved);
    assert_eq!((&reinstated["event"], reinstated.get("other_info")), (&json!("REINSTATED"), None));
}

#[test]
fn manual_reviews_wait() {
    let mut templates = Templates::new(WABA_ID);
    templates.manual_review = true;
    let (template, update) = create(&mut templates, &json!({})).unwrap();
    assert_eq!(update, None);
    assert_eq!(templates.get(&template.id).unwrap().status, TemplateStatus::Pending);
    let error = templates.edit(&template.id, &request(&json!({})), NOW).unwrap_err();
    assert_eq!(error.subcode, Some(2_388_039));
    let update = templates.change_status(&template.id, TemplateStatus::Rejected, Some("SCAM"), NOW).unwrap();
    assert_eq!((&update.value["reason"], update.value.get("rejection_info")), (&json!("SCAM"), None));
    templates.edit(&template.id, &parameters(json!({"category": "MARKETING"})), NOW).unwrap();
    assert_eq!(templates.get(&template.id).unwrap().status, TemplateStatus::Pending);
}

#[test]
fn an_edit_replaces_the_components() {
    let (mut templates, id) = with_template();
    let edit = parameters(json!({"components": [{"type": "body", "text": "Your order has arrived."},
        {"type": "header", "format": "text", "text": "Order"},
        {"type": "buttons", "buttons": [{"type": "phone_number", "text": "Call", "phone_number": "15550051310"}]}]}));
    let updates = templates.edit(&id, &edit, NOW).unwrap();
    let fields: Vec<_> = updates.iter().map(|update| update.field).collect();
    assert_eq!(fields, ["message_template_components_update", "message_template_status_update"]);
    assert_eq!(
        updates[0].value,
        json!({
            "message_template_id": FIRST_ID + 1,
            "message_template_name": "order_ready",
            "message_template_language": "en_US",
            "message_template_element": "Your order has arrived.",
            "message_template_title": "Order",
            "message_template_buttons": [{
                "message_template_button_type": "PHONE_NUMBER",
                "message_template_button_text": "Call",
                "message_template_button_phone_number": "15550051310",
            }],
        })
    );
    let components = templates.get(&id).unwrap().fields(None).unwrap()["components"].clone();
    assert_eq!(components[0], json!({"type": "BODY", "text": "Your order has arrived."}));
}

#[test]
fn edits_of_approved_templates_are_limited() {
    let (mut templates, id) = with_template();
    let edit = request(&json!({}));
    let refused = |result: Result<_, GraphError>| assert_eq!(result.unwrap_err().subcode, Some(2_388_039));
    refused(templates.edit(&id, &parameters(json!({"category": "MARKETING"})), NOW));
    assert_eq!(templates.edit("7", &edit, NOW).unwrap_err().code, 100);
    for day in 0..10 {
        templates.edit(&id, &edit, NOW + day * DAY_SECONDS).unwrap();
        refused(templates.edit(&id, &edit, NOW + (day + 1) * DAY_SECONDS - 1));
    }
    refused(templates.edit(&id, &edit, NOW + 10 * DAY_SECONDS));
    templates.edit(&id, &edit, NOW + 31 * DAY_SECONDS).unwrap();
    templates.change_status(&id, TemplateStatus::Paused, None, NOW).unwrap();
    templates.edit(&id, &edit, NOW + 31 * DAY_SECONDS).unwrap();
}

#[test]
fn a_deleted_name_is_held_for_30_days() {
    let (mut templates, id) = with_template();
    let arabic = create(&mut templates, &json!({"language": "ar"})).unwrap().0.id;
    templates.delete(WABA_ID, &parameters(json!({"name": "order_ready", "hsm_id": arabic})), NOW).unwrap();
    assert!(templates.get(&arabic).is_none() && templates.get(&id).is_some());
    create(&mut templates, &json!({"name": "other"})).unwrap();
    templates.delete(WABA_ID, &parameters(json!({"name": "order_ready"})), NOW).unwrap();
    assert!(templates.get(&id).is_none());
    assert_eq!(create(&mut templates, &json!({})).unwrap_err().subcode, Some(2_388_023));
    templates.create(WABA_ID, &request(&json!({})), NOW + 30 * DAY_SECONDS).unwrap();
}

#[test]
fn the_name_of_a_template_that_was_not_approved_is_free() {
    let (mut templates, id) = with_template();
    templates.change_status(&id, TemplateStatus::Rejected, None, NOW).unwrap();
    templates.delete(WABA_ID, &parameters(json!({"name": "order_ready"})), NOW).unwrap();
    create(&mut templates, &json!({})).unwrap();
}

#[test]
fn invalid_deletions_delete_nothing() {
    let (mut templates, id) = with_template();
    let before = templates.clone();
    for request in [
        json!({}),
        json!({"name": "other"}),
        json!({"name": "order_ready", "hsm_id": "7"}),
        json!({"hsm_ids": [id, "7"]}),
        json!({"hsm_ids": [id], "name": "order_ready"}),
        json!({"hsm_ids": vec![id.clone(); 101]}),
        json!({"hsm_ids": []}),
    ] {
        assert_eq!(templates.delete(WABA_ID, &parameters(request.clone()), NOW).unwrap_err().code, 100, "{request}");
    }
    assert_eq!(templates.delete("2", &parameters(json!({"name": "order_ready"})), NOW).unwrap_err().code, 100);
    assert_eq!(templates, before);
    templates.change_status(&id, TemplateStatus::Disabled, None, NOW).unwrap();
    let disabled = templates.delete(WABA_ID, &parameters(json!({"name": "order_ready"})), NOW).unwrap_err();
    assert_eq!(disabled.subcode, Some(2_388_039));
    templates.change_status(&id, TemplateStatus::Approved, None, NOW).unwrap();
    let id = id.parse::<u64>().unwrap();
    templates.delete(WABA_ID, &parameters(json!({"hsm_ids": [id]})), NOW).unwrap();
}

#[test]
fn fields_are_chosen() {
    let (templates, id) = with_template();
    let template = templates.get(&id).unwrap();
    let all = template.fields(None).unwrap();
    let mut names: Vec<_> = all.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["category", "components", "id", "language", "name", "parameter_format", "status"]);
    let fields =
        |names: &[&str]| template.fields(Some(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
    let quality = fields(&["quality_score", "previous_category"]).unwrap();
    assert_eq!(quality, json!({"id": id, "quality_score": {"score": "UNKNOWN", "date": NOW}}));
    assert_eq!(fields(&["color"]).unwrap_err().code, 100);
}

#[test]
fn the_quality_changes() {
    let (mut templates, id) = with_template();
    let value = templates.set_quality(&id, Quality::Red, NOW + 1).unwrap().value;
    assert_eq!((&value["previous_quality_score"], &value["new_quality_score"]), (&json!("UNKNOWN"), &json!("RED")));
    let shown = templates.get(&id).unwrap().fields(Some(&["quality_score".to_owned()])).unwrap();
    assert_eq!(shown["quality_score"], json!({"score": "RED", "date": NOW + 1}));
}
