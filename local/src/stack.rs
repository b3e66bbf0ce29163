//! The system as a whole: everything in the order it needs, and its end.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use futures_util::FutureExt;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Ready, StartError,
    console::{Console, Kind},
    database::{Database, Storage, usage::UsageMeter},
    functions::{self, BuildError},
    gateway,
    kms::Kms,
    lambda::{Deployment, Lambda},
    lambda_api,
    ports::{self, url},
    schedule,
    secrets::{self, OperatorSecret, OriginSecret, WhatsAppSecret},
    stream::{Checkpoints, EventSourceMapping, FailureQueue},
    template::Template,
    whatsapp,
};

/// Meta's own example of an account, a number's id, and the number.
const WABA_ID: &str = "102290129340398";
const PHONE_NUMBER_ID: &str = "106540352242922";
const DISPLAY_PHONE_NUMBER: &str = "15550783881";
/// The header that the template's CloudFront adds, in lower case.
const ORIGIN_HEADER: &str = "x-qasid-origin";
/// Servers end at once; this is for a client that keeps a request open.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The template.
    pub template: PathBuf,
    /// Values for its parameters, over those that a local run gives and the template's defaults.
    pub parameters: BTreeMap<String, String>,
    /// The API's port; the simulated WhatsApp and DynamoDB have the two after it. 0 takes any three that are free.
    pub port: u16,
    /// Where the data is.
    pub storage: Storage,
    /// Where lines go.
    pub console: Console,
}

impl Default for Options {
    /// The project's own template on free ports, in memory, its lines kept: what a test wants.
    fn default() -> Options {
        Options {
            template: functions::workspace().join("template.yaml"),
            parameters: BTreeMap::new(),
            port: 0,
            storage: Storage::Memory,
            console: Console::captured(),
        }
    }
}

/// A running system. Dropping it ends its servers and processes without waiting for them; [`Running::stop`] waits.
pub struct Running {
    ready: Ready,
    console: Console,
    database: Database,
    lambda: Lambda,
    failures: FailureQueue,
    tasks: JoinSet<()>,
    stop: DropGuard,
}

impl Running {
    /// Its addresses and made-up values.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Where its lines go.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// The embedded database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The functions.
    pub fn lambda(&self) -> &Lambda {
        &self.lambda
    }

    /// What the stream mappings gave up.
    pub fn failures(&self) -> &FailureQueue {
        &self.failures
    }

    /// Ends everything, and returns when every process is gone and the data is on disk.
    pub async fn stop(mut self) {
        self.stop.disarm().cancel();
        self.lambda.stop().await;
        let ended = tokio::time::timeout(STOP_LIMIT, async {
            while self.tasks.join_next().await.is_some() {}
            self.database.stop().await;
        });
        if ended.await.is_err() {
            self.console.line(Kind::Problem, "a connection was still open and has been cut");
        }
    }
}

/// Starts a system, and returns when it answers.
///
/// # Errors
/// When the template cannot be run, the functions do not build, a port is taken, or the data folder cannot be used.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let Options { template: path, parameters, port, storage, console } = options;
    // The ports come first: the simulated WhatsApp's is a parameter of the template.
    let ports = ports::bind(port)?;
    let (api, whatsapp_url, dynamodb) = (url(&ports.api)?, url(&ports.whatsapp)?, url(&ports.dynamodb)?);
    let secrets_manager = url(&ports.secrets)?;
    let mut given = BTreeMap::from([
        ("PhoneNumberId".to_owned(), PHONE_NUMBER_ID.to_owned()),
        ("DisplayPhoneNumber".to_owned(), DISPLAY_PHONE_NUMBER.to_owned()),
        ("GraphApiBaseUrl".to_owned(), whatsapp_url.clone()),
        ("NumbersKey".to_owned(), "Yes".to_owned()),
    ]);
    given.extend(parameters);
    let template =
        Template::load(&path, &given).map_err(|source| StartError::Template { path: path.clone(), source })?;
    let parameter = |name: &str| match template.parameters.get(name) {
        Some(value) => Ok(value.clone()),
        None => Err(StartError::Unfit { path: path.clone(), problem: format!("there is no parameter {name}") }),
    };
    let (phone_number_id, display_phone_number) = (parameter("PhoneNumberId")?, parameter("DisplayPhoneNumber")?);
    let graph_api_version = parameter("GraphApiVersion")?;
    let secret_id = |name: &str| match template.secrets.get(name) {
        Some(id) => Ok(id.clone()),
        None => Err(StartError::Unfit { path: path.clone(), problem: format!("there is no secret {name}") }),
    };
    let (whatsapp_secret_id, operator_secret_id) = (secret_id("WhatsAppSecret")?, secret_id("OperatorSecret")?);
    let deployments = deployments(&template, functions::build(&console).await?)?;

    let (secret, kms, checkpoints, journal) = match &storage {
        Storage::Memory => {
            (WhatsAppSecret::random(), Kms::new(template.keys.clone(), None)?, Checkpoints::memory(), None)
        }
        Storage::Directory(folder) => {
            std::fs::create_dir_all(folder)
                .map_err(|source| StartError::DataFolder { path: folder.clone(), source })?;
            let secret = WhatsAppSecret::load_or_create(folder)?;
            let kms = Kms::new(template.keys.clone(), Some(folder))?;
            (secret, kms, Checkpoints::directory(folder)?, Some(folder.join("whatsapp.jsonl")))
        }
    };
    let meter = UsageMeter::default();
    let database =
        Database::start(ports.dynamodb, storage, &template.table, &template.functions, meter.clone(), console.clone())
            .await?;
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    let mut tasks = JoinSet::new();

    let endpoints = BTreeMap::from([
        ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), dynamodb.clone()),
        ("AWS_ENDPOINT_URL_KMS".to_owned(), secrets_manager.clone()),
        ("AWS_ENDPOINT_URL_LAMBDA".to_owned(), url(&ports.lambda)?),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), secrets_manager.clone()),
    ]);
    let lambda = Lambda::start(deployments, endpoints, meter, console.clone()).await?;
    // It is there under a condition only.
    let origin = template.secrets.get("OriginSecret").map(|id| (id.clone(), OriginSecret::random()));
    let origin_value = origin.as_ref().map(|(_, secret)| secret.first.clone());
    let settings = whatsapp::Settings {
        webhook_url: format!("{api}/api/webhook"),
        added_headers: origin_value.iter().map(|value| (ORIGIN_HEADER.to_owned(), value.clone())).collect(),
        phone_number_id: phone_number_id.clone(),
        display_phone_number: display_phone_number.clone(),
        waba_id: WABA_ID.to_owned(),
        app_secret: secret.app_secret.clone(),
        access_token: secret.access_token.clone(),
        graph_api_version,
        journal,
    };
    let operator = OperatorSecret::random();
    let ready = Ready {
        api,
        api_key: operator.api_key(),
        whatsapp: whatsapp_url,
        dynamodb,
        secrets_manager,
        secret_id: whatsapp_secret_id.clone(),
        phone_number_id,
        display_phone_number,
        app_secret: secret.app_secret.clone(),
        verify_token: secret.verify_token.clone(),
        table: template.table.name.clone(),
        origin: origin_value,
    };

    let mut secrets = BTreeMap::from([(whatsapp_secret_id, json!(secret)), (operator_secret_id, json!(operator))]);
    secrets.extend(origin.map(|(id, secret)| (id, json!(secret))));
    let (its_stop, its_console) = (stop.clone(), console.clone());
    tasks.spawn(async move {
        report(secrets::serve(ports.secrets, secrets, kms, its_stop).await, "Secrets Manager", &its_console);
    });
    let names = template.functions.iter().map(|function| function.name.clone()).collect();
    let (its_lambda, its_console, its_stop) = (lambda.clone(), console.clone(), stop.clone());
    tasks.spawn(async move {
        let served = lambda_api::serve(ports.lambda, names, its_lambda, its_console.clone(), its_stop).await;
        report(served, "the Lambda API", &its_console);
    });
    let mut simulator = Box::pin(whatsapp::serve(ports.whatsapp, settings, console.clone(), stop.clone()));
    // What is wrong with its settings or its journal comes back at once, and keeps the run from starting.
    if let Some(Err(error)) = (&mut simulator).now_or_never() {
        return Err(error.into());
    }
    let failures = FailureQueue::default();
    for function in &template.functions {
        for mapping in &function.streams {
            let (name, lambda) = (function.name.clone(), lambda.clone());
            let (checkpoints, failures, console) = (checkpoints.clone(), failures.clone(), console.clone());
            let mapping = mapping.clone();
            let open = EventSourceMapping::open(mapping, name, &database, lambda, checkpoints, failures, console);
            tasks.spawn(open.await?.run(stop.clone()));
        }
        for one in &function.schedules {
            let (lambda, console) = (lambda.clone(), console.clone());
            tasks.spawn(schedule::run(one.clone(), function.name.clone(), lambda, console, stop.clone()));
        }
    }
    let its_console = console.clone();
    tasks.spawn(async move { report(simulator.await, "the simulated WhatsApp", &its_console) });
    let (its_lambda, its_console, its_stop) = (lambda.clone(), console.clone(), stop);
    tasks.spawn(async move {
        let served = gateway::serve(ports.api, &template, its_lambda, its_console.clone(), its_stop).await;
        report(served, "the API", &its_console);
    });
    Ok(Running { ready, console, database, lambda, failures, tasks, stop: guard })
}

fn deployments(template: &Template, binaries: &BTreeMap<String, PathBuf>) -> Result<Vec<Deployment>, BuildError> {
    let deployment = |function: &crate::template::Function| match binaries.get(&function.name) {
        Some(binary) => Ok(Deployment { function: function.clone(), binary: binary.clone() }),
        None => Err(BuildError::Missing {
            path: format!("Resources.{}.Properties.CodeUri", function.logical_id),
            name: function.name.clone(),
        }),
    };
    template.functions.iter().map(deployment).collect()
}

fn report<E: std::error::Error>(result: Result<(), E>, what: &str, console: &Console) {
    if let Err(error) = result {
        console.line(Kind::Problem, format!("{what} stopped: {error}"));
    }
}
