//! The functions and the services that they call, without a gateway, a stream, or schedules: only the tool invokes
//! them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use local::database::usage::{Usage, UsageMeter};
use local::database::{Database, Storage};
use local::kms::Kms;
use local::lambda::{Deployment, Lambda};
use local::output::Output;
use local::parameters::{self, ParameterStore};
use local::secrets::{self, BotCredentials, WhatsAppSecret};
use local::template::Template;
use local::{functions, whatsapp};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use shared::{domain::message_key::MessageKey, store::keys::Key};
use tokio_util::sync::CancellationToken;

use crate::{Result, events};

/// The business number in the events.
const PHONE_NUMBER_ID: &str = "106540352242922";
const DISPLAY_PHONE_NUMBER: &str = "15550783881";

/// The services. They end with the process.
pub(crate) struct Harness {
    pub(crate) database: Database,
    pub(crate) app_secret: String,
    deployments: Vec<Deployment>,
    /// The functions to measure; all if empty.
    only: Vec<String>,
    endpoints: BTreeMap<String, String>,
    meter: UsageMeter,
    output: Output,
}

impl Harness {
    /// Builds the functions, and starts the services with an empty table.
    pub(crate) async fn start(only: &[String]) -> Result<Harness> {
        let output = Output::captured();
        let (dynamodb, dynamodb_url) = listen()?;
        let (secrets_manager, secrets_url) = listen()?;
        let (parameter_store, parameters_url) = listen()?;
        let (graph_api, graph_url) = listen()?;
        let (sink, sink_url) = listen()?;
        let parameters = BTreeMap::from([
            ("PhoneNumberId".to_owned(), PHONE_NUMBER_ID.to_owned()),
            ("DisplayPhoneNumber".to_owned(), DISPLAY_PHONE_NUMBER.to_owned()),
            ("GraphApiBaseUrl".to_owned(), graph_url.clone()),
            // High enough to keep the rate limiter out of the measurement.
            ("MessagesPerSecond".to_owned(), "1000".to_owned()),
        ]);
        let mut template = Template::load(&functions::workspace().join("template.yaml"), &parameters)?;
        let binaries = functions::build(&output).await?;
        let deployment = |function: &local::template::Function| -> Result<Deployment> {
            let binary: &PathBuf =
                binaries.get(&function.name).ok_or_else(|| format!("no binary {}", function.name))?;
            Ok(Deployment { function: function.clone(), binary: binary.clone() })
        };
        let deployments = template.functions.iter().map(deployment).collect::<Result<Vec<_>>>()?;

        // Nothing reads the stream. The embedded database scans its records at every write, which DynamoDB doesn't.
        if let Some(create) = template.table.create.as_object_mut() {
            create.remove("StreamSpecification");
        }
        let meter = UsageMeter::default();
        let (table, functions) = (&template.table, &template.functions);
        let database =
            Database::start(dynamodb, Storage::Memory, table, functions, meter.clone(), output.clone()).await?;
        let secret = WhatsAppSecret::random();
        let app_secret = secret.app_secret.clone();
        let settings = whatsapp::Settings {
            url: graph_url.clone(),
            webhook_url: sink_url.clone(),
            added_headers: BTreeMap::new(),
            phone_number_id: PHONE_NUMBER_ID.to_owned(),
            display_phone_number: DISPLAY_PHONE_NUMBER.to_owned(),
            waba_id: events::WABA_ID.to_owned(),
            app_secret: app_secret.clone(),
            access_token: secret.access_token.clone(),
            verify_token: secret.verify_token.clone(),
            bot: BotCredentials::random(),
            graph_api_version: template.parameters.get("GraphApiVersion").cloned().unwrap_or_default(),
            throughput: 1000,
            journal: None,
        };
        let values = template.secrets.get("WhatsAppSecret").map(|id| (id.clone(), json!(secret))).into_iter().collect();
        let kms = Kms::new(template.keys.clone(), None)?;
        let shutdown = CancellationToken::new();
        tokio::spawn(whatsapp::serve(graph_api, settings, None, output.clone(), shutdown.clone()));
        tokio::spawn(secrets::serve(secrets_manager, values, kms, shutdown.clone()));
        let store = ParameterStore::open(None)?;
        tokio::spawn(parameters::serve(parameter_store, store, &[], output.clone(), shutdown));
        // The sink accepts the simulated WhatsApp's webhooks and the invocations that `deliver` requests of itself, so
        // only the tool's requests are measured.
        sink.set_nonblocking(true)?;
        let sink = tokio::net::TcpListener::from_std(sink)?;
        let invoke = post(async || StatusCode::ACCEPTED);
        let router = Router::new().route("/2015-03-31/functions/{*name}", invoke).fallback(async || ());
        tokio::spawn(async move { axum::serve(sink, router).await });
        let endpoints = BTreeMap::from([
            ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), dynamodb_url),
            ("AWS_ENDPOINT_URL_KMS".to_owned(), secrets_url.clone()),
            ("AWS_ENDPOINT_URL_LAMBDA".to_owned(), sink_url),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), secrets_url),
            ("AWS_ENDPOINT_URL_SSM".to_owned(), parameters_url),
        ]);
        Ok(Harness { database, app_secret, deployments, only: only.to_vec(), endpoints, meter, output })
    }

    /// Returns the functions, without processes.
    pub(crate) async fn functions(&self) -> Result<Functions> {
        self.start_lambda(self.deployments.clone()).await
    }

    /// Like [`Harness::functions`], with another program for `function`.
    pub(crate) async fn functions_with(&self, function: &str, binary: &Path) -> Result<Functions> {
        let mut deployments = self.deployments.clone();
        for deployment in deployments.iter_mut().filter(|deployment| deployment.function.name == function) {
            deployment.binary = binary.to_owned();
        }
        self.start_lambda(deployments).await
    }

    async fn start_lambda(&self, deployments: Vec<Deployment>) -> Result<Functions> {
        let endpoints = self.endpoints.clone();
        let lambda = Lambda::start(deployments, endpoints, self.meter.clone(), self.output.clone()).await?;
        Ok(Functions { lambda })
    }

    /// Returns the functions to measure.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        let names = self.deployments.iter().map(|deployment| deployment.function.name.as_str());
        names.filter(|&name| self.only.is_empty() || self.only.iter().any(|only| only == name))
    }

    pub(crate) fn binary(&self, function: &str) -> Result<&PathBuf> {
        let found = self.deployments.iter().find(|deployment| deployment.function.name == function);
        Ok(&found.ok_or_else(|| format!("no function {function}"))?.binary)
    }

    /// Creates a session and pairs it with the number. Returns its id, and the usage of the pairing webhook.
    pub(crate) async fn connect(&self, functions: &Functions) -> Result<(String, Usage)> {
        let (output, _) = functions.json("create-session", events::create_session("owner")?).await?;
        let session = &output["session"];
        let link = session["qr"].as_str().ok_or("a session without a QR")?;
        let (_, text) = link.split_once("text=").ok_or("a link without a text")?;
        let text = percent_decode_str(text).decode_utf8()?;
        let webhook = events::webhook(&[events::message(0, "201009999999", &text)], &self.app_secret)?;
        let usage = functions.invoke("webhook", webhook).await?;
        Ok((session["id"].as_str().ok_or("a session without an id")?.to_owned(), usage))
    }

    /// Creates a session that is connected through a linked-device worker, and returns its id.
    pub(crate) async fn connect_worker(&self, functions: &Functions) -> Result<String> {
        let (output, _) = functions.json("create-session", events::create_session("owner of a device")?).await?;
        let session_id = output["session"]["id"].as_str().ok_or("a session without an id")?.to_owned();
        functions.invoke("session-qr", events::session_qr(&session_id)?).await?;
        functions.invoke("session-state", events::session_state(&session_id)?).await?;
        Ok(session_id)
    }

    /// Stores a pending message to `to`. Returns its key, and its item in DynamoDB's typed JSON.
    pub(crate) async fn send(&self, functions: &Functions, session_id: &str, to: &str) -> Result<(MessageKey, Value)> {
        let event = events::send(session_id, to, "Your order is on its way 🚚", None)?;
        let (output, _) = functions.json("send-message", event).await?;
        let message = events::message_key(&output)?;
        let item = self.item(&message)?;
        Ok((message, item))
    }

    /// Returns the item of a message in DynamoDB's typed JSON.
    pub(crate) fn item(&self, message: &MessageKey) -> Result<Value> {
        let Key { pk, sk } = Key::message(message);
        let request = json!({"TableName": self.database.table_name(), "Key": {"pk": {"S": pk}, "sk": {"S": sk}}});
        let found = self.database.embedded().get_item(serde_json::from_value(request)?)?;
        Ok(serde_json::to_value(found.item)?)
    }
}

/// The functions' processes, which end when this is dropped.
pub(crate) struct Functions {
    pub(crate) lambda: Lambda,
}

impl Functions {
    /// Invokes a function and returns its usage. Fails unless the function succeeds, for HTTP with status 200.
    pub(crate) async fn invoke(&self, function: &str, event: Bytes) -> Result<Usage> {
        Ok(self.json(function, event).await?.1)
    }

    /// Invokes a function, and returns its output (the body of an HTTP response) and its usage.
    pub(crate) async fn json(&self, function: &str, event: Bytes) -> Result<(Value, Usage)> {
        let (output, usage) = self.output(function, event).await?;
        match output["statusCode"].as_u64() {
            Some(200) => {
                Ok((serde_json::from_str(output["body"].as_str().unwrap_or("null")).unwrap_or_default(), usage))
            }
            Some(_) => Err(format!("{function} responded {output}").into()),
            None if output["batchItemFailures"].as_array().is_some_and(Vec::is_empty) => Ok((output, usage)),
            None => Err(format!("{function} failed: {output}").into()),
        }
    }

    /// Invokes a function, and returns its output and its usage, also for an error response.
    pub(crate) async fn output(&self, function: &str, event: Bytes) -> Result<(Value, Usage)> {
        let invocation = self.lambda.invoke_measured(function, event).await;
        let output = serde_json::from_slice(&invocation.result?).unwrap_or(json!(null));
        Ok((output, invocation.usage))
    }
}

fn listen() -> Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}
