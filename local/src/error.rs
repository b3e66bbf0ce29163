//! Why a run does not start.

use std::path::PathBuf;

use crate::{
    database::DatabaseError,
    functions::BuildError,
    kms::KeyError,
    ports::PortError,
    secrets::SecretError,
    stream::{CheckpointError, StreamError},
    template::TemplateError,
    whatsapp::WhatsAppError,
};

/// Why a run does not start. With its sources it reads as one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The template cannot be run.
    #[error("{}", path.display())]
    Template {
        /// The template's file.
        path: PathBuf,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// The template lacks something that a local run passes to it or takes from it.
    #[error("{}: {problem}", path.display())]
    Unfit {
        /// The template's file.
        path: PathBuf,
        /// What it lacks.
        problem: String,
    },
    /// The functions cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A port cannot be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The data folder cannot be made.
    #[error("cannot create the data folder {}", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The database does not start.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The secret of an earlier run cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The KMS key of an earlier run cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The stream's place of an earlier run cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A stream mapping cannot run.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The simulated WhatsApp cannot run.
    #[error(transparent)]
    WhatsApp(#[from] WhatsAppError),
    /// A loopback port for internal use cannot be had.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[from] std::io::Error),
}
