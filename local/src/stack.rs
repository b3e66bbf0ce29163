//! Starts all components of the stack in order and stops them.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use futures_util::FutureExt;
use serde_json::json;
use shared::domain::api_key::KeyHash;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{
    Ready, StartError,
    database::{Database, Storage, usage::UsageMeter},
    functions::{self, BuildError},
    gateway,
    kms::Kms,
    lambda::{Deployment, Lambda},
    lambda_api,
    output::{Kind, Output},
    parameters::{self, ParameterStore},
    ports::{self, url},
    ready::Bot,
    s3::{self, Objects},
    schedule,
    secrets::{self, BotCredentials, OriginSecret, WhatsAppSecret},
    stream::{Checkpoints, EventSourceMapping, FailureQueue},
    template::Template,
    whatsapp,
};

/// The business account, phone number ID, and phone number from Meta's examples.
const WABA_ID: &str = "102290129340398";
const PHONE_NUMBER_ID: &str = "106540352242922";
const DISPLAY_PHONE_NUMBER: &str = "15550783881";
/// The header that the template's CloudFront distribution adds, in lowercase.
const ORIGIN_HEADER: &str = "x-qasid-origin";
/// The default ports of development servers: Next.js, React Router, Nuxt, and Rails (3000), the next one if that is in
/// use (3001), Angular (4200), Vite (5173), and webpack (8080).
const DEVELOPMENT_PORTS: [u16; 5] = [3000, 3001, 4200, 5173, 8080];
/// Maximum wait for clients that keep a request open.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The configuration of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Path of the template.
    pub template: PathBuf,
    /// Template parameters. They override the parameters of the local run and the template's defaults.
    pub parameters: BTreeMap<String, String>,
    /// Port of the API. The other endpoints use the six ports after it. 0 selects free ports.
    pub port: u16,
    /// Where the data is stored.
    pub storage: Storage,
    /// Where output goes.
    pub output: Output,
    /// How long a failed asynchronous invocation waits for its first and its second retry.
    pub retry_delays: [Duration; 2],
    /// Gets each request to the API with its response.
    pub observer: Option<gateway::Observer>,
}

impl Default for Options {
    /// Returns the defaults for tests: the workspace's template on free ports, in memory, with captured output.
    fn default() -> Options {
        Options {
            template: functions::workspace().join("template.yaml"),
            parameters: BTreeMap::new(),
            port: 0,
            storage: Storage::Memory,
            output: Output::captured(),
            retry_delays: lambda_api::RETRY_DELAYS,
            observer: None,
        }
    }
}

/// A running stack. Dropping it stops all servers and processes without waiting; [`Stack::stop`] waits.
pub struct Stack {
    ready: Ready,
    output: Output,
    database: Database,
    lambda: Lambda,
    failures: FailureQueue,
    tasks: JoinSet<()>,
    stop: DropGuard,
}

impl Stack {
    /// Returns the addresses and generated credentials.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Returns the output of the local run.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Returns the embedded database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the functions.
    pub fn lambda(&self) -> &Lambda {
        &self.lambda
    }

    /// Returns the on-failure queue of the event source mappings.
    pub fn failures(&self) -> &FailureQueue {
        &self.failures
    }

    /// Stops all components and waits until all processes have ended and the data is on disk.
    pub async fn stop(mut self) {
        self.stop.disarm().cancel();
        self.lambda.stop().await;
        let ended = tokio::time::timeout(STOP_TIMEOUT, async {
            while self.tasks.join_next().await.is_some() {}
            self.database.stop().await;
        });
        if ended.await.is_err() {
            self.output.line(Kind::Problem, "closed a connection that was still open");
        }
    }
}

/// Starts a stack and returns once it accepts requests.
///
/// # Errors
/// Returns a [`StartError`] if the template is invalid, the functions don't build, a port is in use, or the data folder
/// is unusable.
pub async fn start(options: Options) -> Result<Stack, StartError> {
    let Options { template: path, parameters, port, storage, output, retry_delays, observer } = options;
    // Bind the ports first: the address of the simulated WhatsApp is a template parameter.
    let ports = ports::bind(port)?;
    let (api, whatsapp_url, dynamodb) = (url(&ports.api)?, url(&ports.whatsapp)?, url(&ports.dynamodb)?);
    let (secrets_manager, parameter_store) = (url(&ports.secrets)?, url(&ports.parameters)?);
    let s3_url = url(&ports.s3)?;
    // The operator key of this run, with 244 random bits.
    let api_key = format!("qk_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let mut given = BTreeMap::from([
        ("OperatorKeyHash".to_owned(), KeyHash::of(&api_key).as_hex().to_owned()),
        ("AllowedOrigins".to_owned(), development_origins()),
        ("PhoneNumberId".to_owned(), PHONE_NUMBER_ID.to_owned()),
        ("DisplayPhoneNumber".to_owned(), DISPLAY_PHONE_NUMBER.to_owned()),
        ("GraphApiBaseUrl".to_owned(), whatsapp_url.clone()),
        ("LocalWebhooks".to_owned(), "Yes".to_owned()),
        ("NumbersKey".to_owned(), "Yes".to_owned()),
    ]);
    given.extend(parameters);
    let template =
        Template::load(&path, &given).map_err(|source| StartError::Template { path: path.clone(), source })?;
    let parameter = |name: &str| match template.parameters.get(name) {
        Some(value) => Ok(value.clone()),
        None => {
            Err(StartError::IncompleteTemplate { path: path.clone(), missing: format!("missing parameter {name}") })
        }
    };
    let (phone_number_id, display_phone_number) = (parameter("PhoneNumberId")?, parameter("DisplayPhoneNumber")?);
    let allowed_origins = parameter("AllowedOrigins")?;
    let graph_api_version = parameter("GraphApiVersion")?;
    let secret_id = |name: &str| match template.secrets.get(name) {
        Some(id) => Ok(id.clone()),
        None => Err(StartError::IncompleteTemplate { path: path.clone(), missing: format!("missing secret {name}") }),
    };
    let whatsapp_secret_id = secret_id("WhatsAppSecret")?;
    let deployments = deployments(&template, functions::build(&output).await?)?;

    let (secret, bot, checkpoints, folder) = match &storage {
        Storage::Memory => (WhatsAppSecret::random(), BotCredentials::random(), Checkpoints::memory(), None),
        Storage::Directory(folder) => {
            std::fs::create_dir_all(folder)
                .map_err(|source| StartError::DataFolder { path: folder.clone(), source })?;
            let (secret, bot) = (WhatsAppSecret::load_or_create(folder)?, BotCredentials::load_or_create(folder)?);
            (secret, bot, Checkpoints::directory(folder)?, Some(folder.as_path()))
        }
    };
    let (kms, parameters) = (Kms::new(template.keys.clone(), folder)?, ParameterStore::open(folder)?);
    let objects = Objects::open(folder, &template.buckets)?;
    let journal = folder.map(|folder| folder.join("whatsapp.jsonl"));
    let meter = UsageMeter::default();
    let database =
        Database::start(ports.dynamodb, storage, &template.table, &template.functions, meter.clone(), output.clone())
            .await?;
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    let mut tasks = JoinSet::new();

    let endpoints = BTreeMap::from([
        ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), dynamodb.clone()),
        ("AWS_ENDPOINT_URL_KMS".to_owned(), secrets_manager.clone()),
        ("AWS_ENDPOINT_URL_LAMBDA".to_owned(), url(&ports.lambda)?),
        ("AWS_ENDPOINT_URL_S3".to_owned(), s3_url.clone()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), secrets_manager.clone()),
        ("AWS_ENDPOINT_URL_SSM".to_owned(), parameter_store.clone()),
    ]);
    let lambda = Lambda::start(deployments, endpoints, meter, output.clone()).await?;
    // The secret exists only if the template enables the firewall.
    let origin = template.secrets.get("OriginSecret").map(|id| (id.clone(), OriginSecret::random()));
    let origin_value = origin.as_ref().map(|(_, secret)| secret.first.clone());
    let settings = whatsapp::Settings {
        url: whatsapp_url.clone(),
        webhook_url: format!("{api}/api/webhook"),
        added_headers: origin_value.iter().map(|value| (ORIGIN_HEADER.to_owned(), value.clone())).collect(),
        phone_number_id: phone_number_id.clone(),
        display_phone_number: display_phone_number.clone(),
        waba_id: WABA_ID.to_owned(),
        app_secret: secret.app_secret.clone(),
        access_token: secret.access_token.clone(),
        verify_token: secret.verify_token.clone(),
        bot: bot.clone(),
        graph_api_version,
        throughput: whatsapp::DEFAULT_THROUGHPUT,
        journal,
    };
    let phone = format!("{whatsapp_url}/phone");
    let ready = Ready {
        console: format!("{api}/console#key={api_key}&phone={phone}"),
        allowed_origins: allowed_origins.split(',').filter(|origin| !origin.is_empty()).map(str::to_owned).collect(),
        api,
        api_key,
        whatsapp: whatsapp_url,
        phone,
        dynamodb,
        secrets_manager,
        parameter_store,
        s3: s3_url,
        secret_id: whatsapp_secret_id.clone(),
        waba_id: WABA_ID.to_owned(),
        phone_number_id,
        display_phone_number,
        app_id: whatsapp::DEFAULT_APP_ID.to_owned(),
        app_secret: secret.app_secret.clone(),
        access_token: secret.access_token.clone(),
        bot: Bot {
            app_id: whatsapp::BOT_APP_ID.to_owned(),
            app_secret: bot.app_secret,
            access_token: bot.access_token,
        },
        verify_token: secret.verify_token.clone(),
        table: template.table.name.clone(),
        origin: origin_value,
    };

    let mut secrets = BTreeMap::from([(whatsapp_secret_id, json!(secret))]);
    secrets.extend(origin.map(|(id, secret)| (id, json!(secret))));
    let (task_stop, task_output) = (stop.clone(), output.clone());
    tasks.spawn(async move {
        report(secrets::serve(ports.secrets, secrets, kms, task_stop).await, "Secrets Manager", &task_output);
    });
    let (functions, task_output, task_stop) = (template.functions.clone(), output.clone(), stop.clone());
    tasks.spawn(async move {
        let store = parameters::serve(ports.parameters, parameters, &functions, task_output.clone(), task_stop);
        report(store.await, "Parameter Store", &task_output);
    });
    let (functions, task_output, task_stop) = (template.functions.clone(), output.clone(), stop.clone());
    tasks.spawn(async move {
        report(s3::serve(ports.s3, objects, &functions, task_output.clone(), task_stop).await, "S3", &task_output);
    });
    let functions = template.functions.clone();
    let (task_lambda, task_output, task_stop) = (lambda.clone(), output.clone(), stop.clone());
    tasks.spawn(async move {
        let api =
            lambda_api::serve(ports.lambda, &functions, retry_delays, task_lambda, task_output.clone(), task_stop);
        report(api.await, "the Lambda API", &task_output);
    });
    let infrastructure = whatsapp::Infrastructure { table: database.faults().clone(), lambda: lambda.clone() };
    let simulator = whatsapp::serve(ports.whatsapp, settings, Some(infrastructure), output.clone(), stop.clone());
    let mut simulator = Box::pin(simulator);
    // Invalid settings or a damaged journal fail at the first poll and abort the start.
    if let Some(Err(error)) = (&mut simulator).now_or_never() {
        return Err(error.into());
    }
    let failures = FailureQueue::default();
    for function in &template.functions {
        for mapping in &function.streams {
            let (name, lambda) = (function.name.clone(), lambda.clone());
            let (checkpoints, failures, output) = (checkpoints.clone(), failures.clone(), output.clone());
            let mapping = mapping.clone();
            let open = EventSourceMapping::open(mapping, name, &database, lambda, checkpoints, failures, output);
            tasks.spawn(open.await?.run(stop.clone()));
        }
        for one in &function.schedules {
            let (lambda, output) = (lambda.clone(), output.clone());
            tasks.spawn(schedule::run(one.clone(), function.name.clone(), lambda, output, stop.clone()));
        }
    }
    let task_output = output.clone();
    tasks.spawn(async move { report(simulator.await, "the simulated WhatsApp", &task_output) });
    let (task_lambda, task_output, task_stop) = (lambda.clone(), output.clone(), stop);
    tasks.spawn(async move {
        let served = gateway::serve(ports.api, &template, task_lambda, task_output.clone(), observer, task_stop).await;
        report(served, "the API", &task_output);
    });
    Ok(Stack { ready, output, database, lambda, failures, tasks, stop: guard })
}

/// Returns the origins of pages that development servers on this machine serve, separated by commas.
fn development_origins() -> String {
    let origins = ["localhost", "127.0.0.1"]
        .into_iter()
        .flat_map(|host| DEVELOPMENT_PORTS.into_iter().map(move |port| format!("http://{host}:{port}")));
    origins.collect::<Vec<_>>().join(",")
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

fn report<E: std::error::Error>(result: Result<(), E>, what: &str, output: &Output) {
    if let Err(error) = result {
        output.line(Kind::Problem, format!("{what} stopped: {error}"));
    }
}
