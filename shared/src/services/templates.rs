//! Message templates: those of the WhatsApp Business Account of a session's number.

use std::time::Duration;

use crate::{
    domain::{
        message::Channel,
        message_template::{TemplateList, TemplatePage},
        whatsapp_error::{ReadError, Refusal},
    },
    services::credentials::{AccessToken, Credentials, CredentialsError, Replacement},
    store::{Store, StoreError},
    whatsapp::GraphReader,
};

/// The time for all requests to WhatsApp, below the function's timeout.
const TIME_LIMIT: Duration = Duration::from_secs(6);

/// Why the templates of a session can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The session doesn't exist.
    #[error("Session not found")]
    SessionNotFound,
    /// The session was never paired.
    #[error("Session is not connected: scan the QR code of GET /api/qr with WhatsApp and send its text")]
    SessionNotConnected,
    /// A linked-device worker serves the session.
    #[error("The session is served by a worker: only numbers of the Cloud API have templates")]
    WorkerSession,
    /// WhatsApp refused the request.
    #[error("WhatsApp refused to list the templates: {0}")]
    Refused(String),
    /// WhatsApp didn't respond in time.
    #[error("WhatsApp did not list the templates: try again in a moment")]
    NoResponse,
    /// WhatsApp didn't name the account of the number.
    #[error("WhatsApp did not name the account of the number: check that the access token may manage it")]
    UnknownAccount,
    /// The credentials could not be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for TemplateError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(Refusal { error, code, fbtrace_id, .. }) => {
                tracing::warn!(code, fbtrace_id, "template list rejected");
                Self::Refused(error)
            }
            ReadError::NoResponse(error) => {
                tracing::warn!(error, "template list failed");
                Self::NoResponse
            }
        }
    }
}

/// Lists templates.
#[derive(Clone, Debug)]
pub struct Templates {
    reader: GraphReader,
    credentials: Credentials,
}

impl Templates {
    /// Creates the use case.
    pub fn new(reader: GraphReader, credentials: Credentials) -> Self {
        Self { reader, credentials }
    }

    /// Returns a page of the templates of the WhatsApp Business Account of the session's number.
    ///
    /// # Errors
    ///
    /// See [`TemplateError`].
    pub async fn list(&self, store: &Store, list: &TemplateList) -> Result<TemplatePage, TemplateError> {
        let session = store.sessions().get(list.session_id).await?.ok_or(TemplateError::SessionNotFound)?;
        if session.channel == Channel::Worker {
            return Err(TemplateError::WorkerSession);
        }
        let number = session.phone_number_id.as_deref().ok_or(TemplateError::SessionNotConnected)?;
        let (owner, token) = tokio::join!(store.numbers().owner(number), self.credentials.access_token(number));
        let account = owner?.filter(|owner| owner.session_id == session.id).and_then(|owner| owner.waba_id);
        let read = self.read(number, account, token?, list);
        tokio::time::timeout(TIME_LIMIT, read)
            .await
            .unwrap_or_else(|_| Err(ReadError::NoResponse("timed out".to_owned()).into()))
    }

    /// Reads templates with the number's access token, again with a newer one if WhatsApp refuses it.
    async fn read(
        &self,
        number: &str,
        account: Option<String>,
        token: AccessToken,
        list: &TemplateList,
    ) -> Result<TemplatePage, TemplateError> {
        let mut page = self.read_with(number, account.as_deref(), &token, list).await;
        if page.as_ref().is_err_and(ReadError::is_token_refused)
            && let Replacement::Token(newer) = self.credentials.replacement(number, &token).await
        {
            page = self.read_with(number, account.as_deref(), &newer, list).await;
        }
        page?.ok_or(TemplateError::UnknownAccount)
    }

    /// Reads templates of `account`. If no webhook has named it yet, asks WhatsApp for it; `None` if that fails too.
    async fn read_with(
        &self,
        number: &str,
        account: Option<&str>,
        token: &AccessToken,
        list: &TemplateList,
    ) -> Result<Option<TemplatePage>, ReadError> {
        let token = token.as_str();
        let account = match account {
            Some(account) => Some(account.to_owned()),
            None => self.reader.account_of(number, token).await?,
        };
        match account {
            Some(account) => self.reader.templates(&account, token, list).await.map(Some),
            None => Ok(None),
        }
    }
}
