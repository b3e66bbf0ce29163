//! Resident memory of each function: after initialization and after many requests.

use axum::body::Bytes;

use crate::{
    Result, events,
    harness::{Functions, Harness},
    process,
    report::{Table, mebibytes, print},
};

const REQUESTS: usize = 1_000;

pub(crate) async fn measure(harness: &Harness) -> Result<()> {
    let functions = harness.functions().await?;
    let (session_id, _) = harness.connect(&functions).await?;
    let worker = harness.connect_worker(&functions).await?;
    let header = ["function", "after init, MiB", "after 1,000 requests, MiB", "peak, MiB"];
    let mut table = Table::new(&header);
    for function in harness.function_names() {
        let requests = requests(harness, &functions, function, (&session_id, &worker)).await?;
        let measured = harness.functions().await?;
        let pid = measured.lambda.provision(function).await?.pid;
        let first = process::resident(pid)?;
        for event in requests {
            measured.output(function, event).await?;
        }
        let last = process::resident(pid)?;
        table.row([function.to_owned(), mebibytes(first.now), mebibytes(last.now), mebibytes(last.peak)]);
        measured.lambda.stop().await;
    }
    print(&format!("### Resident memory\n\n{table}"))?;
    batches(harness).await
}

/// Returns typical requests to a function: QR codes as images, and each message from or to another contact.
async fn requests(
    harness: &Harness,
    functions: &Functions,
    function: &str,
    (session_id, worker): (&str, &str),
) -> Result<Vec<Bytes>> {
    let (response, _) = functions.json("create-session", events::create_session("with a QR")?).await?;
    let with_qr = response["session"]["id"].as_str().unwrap_or_default();
    let mut requests = Vec::with_capacity(REQUESTS);
    for n in 0..REQUESTS {
        requests.push(match function {
            "create-session" => events::create_session(&format!("owner {n}"))?,
            "session-status" => events::session_status(session_id)?,
            "qr" => events::qr_image(with_qr)?,
            "send-message" => events::send(session_id, &events::phone(n), "Hello", None)?,
            "webhook" => events::webhook(&[events::message(n, &events::phone(n), "Hello")], &harness.app_secret)?,
            "deliver" => {
                let (_, item) = harness.send(functions, session_id, &events::phone(n)).await?;
                events::stream_batch(&[item])?
            }
            "message" => {
                let (message, _) = harness.send(functions, session_id, &events::phone(n)).await?;
                events::message_details(&message.message_id.to_string())?
            }
            "session-resume" => events::session_resume(session_id)?,
            "session-qr" => events::session_qr(with_qr)?,
            "session-state" => events::session_state(worker)?,
            "receive-message" => events::receive_message(worker, n, &events::phone(n))?,
            "outbox-claim" => {
                harness.send(functions, worker, &events::phone(n)).await?;
                events::outbox_claim(worker, 1)?
            }
            "outbox-settle" => {
                harness.send(functions, worker, &events::phone(n)).await?;
                let (response, _) = functions.json("outbox-claim", events::outbox_claim(worker, 1)?).await?;
                events::outbox_settle(&response["messages"][0])?
            }
            _ => events::not_found()?,
        });
    }
    Ok(requests)
}

/// The largest webhook: 1,000 messages of 1,000 contacts.
async fn batches(harness: &Harness) -> Result<()> {
    let functions = harness.functions().await?;
    let pid = functions.lambda.provision("webhook").await?.pid;
    let mut table = Table::new(&["webhooks of 1,000 messages", "resident, MiB", "peak, MiB"]);
    for count in 1..=3 {
        let messages: Vec<_> = (0..1_000).map(|n| (count * 10_000 + n, events::phone(20_000 + n))).collect();
        let messages: Vec<_> = messages.iter().map(|(n, from)| events::message(*n, from, "Hello")).collect();
        functions.invoke("webhook", events::webhook(&messages, &harness.app_secret)?).await?;
        let resident = process::resident(pid)?;
        table.row([count.to_string(), mebibytes(resident.now), mebibytes(resident.peak)]);
    }
    print(&table.to_string())
}
