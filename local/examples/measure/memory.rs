//! Resident memory, once the process waits for its first event and after many.

use axum::body::Bytes;

use crate::report::{Table, mebibytes, say};
use crate::rig::{Functions, Rig};
use crate::{Result, events, process};

const REQUESTS: usize = 1_000;

pub(crate) async fn measure(rig: &Rig) -> Result<()> {
    let functions = rig.functions().await?;
    let (session_id, _) = rig.connect(&functions).await?;
    let worker = rig.connect_worker(&functions).await?;
    let header = ["function", "after init, MiB", "after 1,000 requests, MiB", "peak, MiB"];
    let mut table = Table::new(&header);
    for function in rig.function_names() {
        let requests = requests(rig, &functions, function, (&session_id, &worker)).await?;
        let measured = rig.functions().await?;
        let pid = measured.lambda.provision(function).await?.pid;
        let first = process::resident(pid)?;
        for event in requests {
            measured.answer(function, event).await?;
        }
        let last = process::resident(pid)?;
        table.row([function.to_owned(), mebibytes(first.now), mebibytes(last.now), mebibytes(last.peak)]);
        measured.lambda.stop().await;
    }
    say(&format!("### Resident memory\n\n{table}"))?;
    batches(rig).await
}

/// Requests of the endpoint's usual kind: the QR as an image, messages of as many contacts as there are messages.
async fn requests(
    rig: &Rig,
    functions: &Functions,
    function: &str,
    (session_id, worker): (&str, &str),
) -> Result<Vec<Bytes>> {
    let (answer, _) = functions.json("create-session", events::create_session("with a QR")?).await?;
    let with_qr = answer["session"]["id"].as_str().unwrap_or_default();
    let mut requests = Vec::with_capacity(REQUESTS);
    for n in 0..REQUESTS {
        requests.push(match function {
            "create-session" => events::create_session(&format!("owner {n}"))?,
            "session-status" => events::session_status(session_id)?,
            "qr" => events::qr_image(with_qr)?,
            "send-message" => events::send(session_id, &events::phone(n), None)?,
            "webhook" => events::webhook(&[events::message(n, &events::phone(n), "Hello")], &rig.app_secret)?,
            "deliver" => {
                let (_, item) = rig.send(functions, session_id, &events::phone(n)).await?;
                events::stream_batch(&[item])?
            }
            "message" => {
                let (message, _) = rig.send(functions, session_id, &events::phone(n)).await?;
                events::message_details(&message.message_id.to_string())?
            }
            "session-resume" => events::session_resume(session_id)?,
            "session-qr" => events::session_qr(with_qr)?,
            "session-state" => events::session_state(worker)?,
            "receive-message" => events::receive_message(worker, n, &events::phone(n))?,
            "outbox-claim" => {
                rig.send(functions, worker, &events::phone(n)).await?;
                events::outbox_claim(worker, 1)?
            }
            "outbox-settle" => {
                rig.send(functions, worker, &events::phone(n)).await?;
                let (answer, _) = functions.json("outbox-claim", events::outbox_claim(worker, 1)?).await?;
                events::outbox_settle(&answer["messages"][0])?
            }
            _ => events::not_found()?,
        });
    }
    Ok(requests)
}

/// The largest webhook: 1,000 messages of 1,000 contacts.
async fn batches(rig: &Rig) -> Result<()> {
    let functions = rig.functions().await?;
    let pid = functions.lambda.provision("webhook").await?.pid;
    let mut table = Table::new(&["webhooks of 1,000 messages", "resident, MiB", "peak, MiB"]);
    for count in 1..=3 {
        let messages: Vec<_> = (0..1_000).map(|n| (count * 10_000 + n, events::phone(20_000 + n))).collect();
        let messages: Vec<_> = messages.iter().map(|(n, from)| events::message(*n, from, "Hello")).collect();
        functions.invoke("webhook", events::webhook(&messages, &rig.app_secret)?).await?;
        let resident = process::resident(pid)?;
        table.row([count.to_string(), mebibytes(resident.now), mebibytes(resident.peak)]);
    }
    say(&table.to_string())
}
