//! `cargo run -p local` runs the entire stack on this machine until Ctrl-C.

use std::{collections::BTreeMap, error::Error, io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use local::{
    Options, Ready,
    database::Storage,
    error_chain, functions,
    import::{self, Import},
    output::{Kind, Output},
    start,
};
use shared::domain::id::SessionId;
use tokio::signal::unix::{SignalKind, signal};

/// How many origins the output lists in a line. Five fit into 120 characters.
const ORIGINS_PER_LINE: usize = 5;

/// Runs the entire stack of template.yaml on this machine: the functions, an HTTP API in front of them, DynamoDB,
/// Secrets Manager, KMS, Parameter Store, S3, and a simulated WhatsApp Cloud API. Press Ctrl-C to stop.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Port of the API. The next six ports serve the simulated WhatsApp, DynamoDB, Secrets Manager and KMS, the Lambda
    /// API, Parameter Store, and S3. 0 selects free ports.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Directory for the data, which is created if needed and kept after the run, or `memory`.
    #[arg(long, value_name = "DIR|memory", default_value = "memory")]
    data: PathBuf,
    /// File to write the addresses and generated credentials to, as JSON, once everything is up.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Path of the AWS SAM template to run. Defaults to the template.yaml of this workspace.
    #[arg(long, value_name = "PATH")]
    template: Option<PathBuf>,
    /// Value of a template parameter. Repeat the option for several parameters.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Command {
    /// Imports the chats and messages of another system into a session of a deployment, such as a running local run.
    #[command(subcommand)]
    Import(Import),
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Ignore a closed standard error: it must not cause a second failure.
            let _ = writeln!(std::io::stderr(), "local: {}", error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(Command::Import(import)) = arguments.command {
        return Ok(import::run(import).await?);
    }
    // Register the handlers first, so that an early Ctrl-C also shuts down in order.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let output = Output::stdout();
    let storage = match arguments.data.to_str() {
        Some("memory") => Storage::Memory,
        _ => Storage::Directory(arguments.data),
    };
    let options = Options {
        template: arguments.template.unwrap_or_else(|| functions::workspace().join("template.yaml")),
        parameters: arguments.parameters.into_iter().collect::<BTreeMap<_, _>>(),
        port: arguments.port,
        storage,
        output: output.clone(),
        ..Options::default()
    };
    let running = tokio::select! {
        running = start(options) => running?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let announced = announce(running.ready(), arguments.ready_file.as_deref());
    if announced.is_ok() {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        output.line(Kind::Local, "stopping");
    }
    running.stop().await;
    announced
}

fn announce(ready: &Ready, file: Option<&std::path::Path>) -> Result<(), Box<dyn Error>> {
    // Ignore a closed pipe: it must not end the run.
    let _ = std::io::stdout().lock().write_all(guide(ready).as_bytes());
    if let Some(path) = file {
        ready.write(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

/// Returns the addresses and a ready-to-paste command for each endpoint.
fn guide(ready: &Ready) -> String {
    let Ready { console, phone, api, api_key, whatsapp, dynamodb, verify_token, table, .. } = ready;
    let origins = match ready.allowed_origins.as_slice() {
        [] => "  none".to_owned(),
        some => {
            some.chunks(ORIGINS_PER_LINE).map(|line| format!("  {}", line.join(" "))).collect::<Vec<_>>().join("\n")
        }
    };
    let Ready { waba_id, phone_number_id, app_id, app_secret, access_token, bot, .. } = ready;
    let session = SessionId::for_owner("owner-1");
    let json = "-H 'content-type: application/json' -d";
    let key = r#"-H "Authorization: Bearer $KEY""#;
    let read_qr =
        format!("$(curl -s {key} '{api}/api/qr?sessionId={session}' | sed 's/.*\"qr\":\"\\([^\"]*\\)\".*/\\1/')");
    let (bot_app_id, bot_app_secret, bot_token) = (&bot.app_id, &bot.app_secret, &bot.access_token);
    format!(
        r#"
Console    {console}
Phone      {phone}  (the phones of simulated customers)

API        {api}
WhatsApp   {whatsapp}  (simulated)
DynamoDB   {dynamodb}  (table {table})

Web pages of these origins may call the API (CORS); --parameter AllowedOrigins=http://localhost:9000,… sets others:
{origins}

API key of this run, required by every endpoint except the webhook:
  export KEY={api_key}
Create a session, get its status, and get its QR code as text and as an image:
  curl {api}/api/session/create {key} {json} '{{"userId":"owner-1"}}'
  curl {key} '{api}/api/session/status?sessionId={session}'
  curl {key} '{api}/api/qr?sessionId={session}'
  curl {key} '{api}/api/qr?sessionId={session}&format=image' -o qr.png
Scan the QR code with the owner's phone to connect the session:
  curl {whatsapp}/simulator/scan {json} "{{\"qr\":\"{read_qr}\",\"from\":\"201001234567\"}}"
Create a webhook, whose receiver is built in, and later list what it received:
  curl {api}/api/webhooks {key} {json} '{{"sessionId":"{session}","url":"{whatsapp}/simulator/receiver"}}'
  curl {whatsapp}/simulator/receiver
Receive a message from a customer, reply, and list the sent messages:
  curl {whatsapp}/simulator/messages {json} '{{"from":"201007654321","name":"Mona","text":"Hello"}}'
  curl {api}/api/messages/send {key} {json} '{{"sessionId":"{session}","to":"201007654321","message":"Welcome"}}'
  curl {whatsapp}/simulator/messages
Verify the webhook like Meta:
  curl '{api}/api/webhook?hub.mode=subscribe&hub.verify_token={verify_token}&hub.challenge=1158201444'

Point a bot at the simulated WhatsApp (docs/simulator.md): use {whatsapp} instead of https://graph.facebook.com.
  phone number ID  {phone_number_id}
  WABA ID          {waba_id}
  Qasid's app      {app_id}  secret {app_secret}  token {access_token}
  the bot's app    {bot_app_id}  secret {bot_app_secret}  token {bot_token}
Send webhooks to the bot beside Qasid (the URL must pass WhatsApp's verification):
  curl {whatsapp}/{waba_id}/subscribed_apps -H 'Authorization: Bearer {bot_token}' {json} '{{"override_callback_uri":"http://127.0.0.1:3000/webhook","verify_token":"…"}}'

Press Ctrl-C to stop.

"#
    )
}
