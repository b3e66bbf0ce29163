//! Startup errors.

use std::{error::Error, path::PathBuf};

use crate::{
    database::DatabaseError,
    functions::BuildError,
    kms::KeyError,
    parameters::ParameterError,
    ports::PortError,
    s3::FolderError,
    secrets::SecretError,
    stream::{CheckpointError, StreamError},
    template::TemplateError,
    whatsapp::WhatsAppError,
};

/// An error that prevents the local run from starting. Together with its sources, it reads as one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The template is invalid or not supported.
    #[error("{}", path.display())]
    Template {
        /// The template's file.
        path: PathBuf,
        /// The cause.
        source: TemplateError,
    },
    /// The template lacks a parameter or secret that the local run needs.
    #[error("{}: {missing}", path.display())]
    IncompleteTemplate {
        /// The template's file.
        path: PathBuf,
        /// The missing item.
        missing: String,
    },
    /// The functions don't build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A port is unavailable.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The data folder cannot be created.
    #[error("cannot create the data folder {}", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The database cannot start.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The secret of an earlier run is unusable.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The KMS key of an earlier run is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The objects of an earlier run are unusable.
    #[error(transparent)]
    Objects(#[from] FolderError),
    /// The parameters of an earlier run are unusable.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The stream checkpoint of an earlier run is unusable.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An event source mapping cannot start.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The simulated WhatsApp cannot start.
    #[error(transparent)]
    WhatsApp(#[from] WhatsAppError),
    /// No internal loopback port is available.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[from] std::io::Error),
}

/// Formats an error and its sources as one sentence. Leaves out a source that its error already contains.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        source = error.source();
    }
    text
}
