//! What the local run tells its user: one line per thing that happened.

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

/// Where a line comes from; it decides the label in front of it and its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The local run itself: start, addresses, shutdown.
    Local,
    /// A request to the HTTP API that was answered.
    Request,
    /// A line that a function wrote, or an invocation that did not come over HTTP.
    Function,
    /// The DynamoDB stream mapping.
    Stream,
    /// A schedule.
    Schedule,
    /// The simulated WhatsApp.
    WhatsApp,
    /// Something went wrong and wants attention.
    Problem,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Kind::Local => "local",
            Kind::Request => "request",
            Kind::Function => "function",
            Kind::Stream => "stream",
            Kind::Schedule => "schedule",
            Kind::WhatsApp => "whatsapp",
            Kind::Problem => "problem",
        }
    }

    /// The ANSI colour of the label (ECMA-48 "Select Graphic Rendition").
    fn colour(self) -> &'static str {
        match self {
            Kind::Local => "1",
            Kind::Request => "36",
            Kind::Function => "34",
            Kind::Stream | Kind::Schedule => "35",
            Kind::WhatsApp => "32",
            Kind::Problem => "31",
        }
    }
}

/// A cheap handle on the place lines go to: standard output, or memory in a test.
#[derive(Clone, Debug)]
pub struct Console {
    sink: Arc<Sink>,
}

#[derive(Debug)]
enum Sink {
    Stdout { colours: bool },
    Captured(Mutex<Vec<String>>),
}

impl Console {
    /// Writes to standard output, with colours when that is a terminal.
    pub fn stdout() -> Console {
        let colours = std::io::stdout().is_terminal();
        Console { sink: Arc::new(Sink::Stdout { colours }) }
    }

    /// Keeps the lines for [`Console::lines`].
    pub fn captured() -> Console {
        Console { sink: Arc::new(Sink::Captured(Mutex::default())) }
    }

    /// Writes one line. Line breaks and control characters in `text` are escaped, so that nothing a client sends
    /// can forge a line or drive the terminal.
    pub fn line(&self, kind: Kind, text: impl AsRef<str>) {
        let text = printable(text.as_ref());
        match &*self.sink {
            Sink::Stdout { colours } => {
                let (time, label) = (time_of_day(), kind.label());
                let line = if *colours {
                    format!("{time} \x1b[{}m{label:<8}\x1b[0m {text}\n", kind.colour())
                } else {
                    format!("{time} {label:<8} {text}\n")
                };
                // A closed pipe (`| head`) must not end the run.
                let _ = std::io::stdout().lock().write_all(line.as_bytes());
            }
            Sink::Captured(lines) => {
                let line = format!("{:<8} {text}", kind.label());
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        }
    }

    /// The lines written so far, oldest first; empty unless captured.
    pub fn lines(&self) -> Vec<String> {
        match &*self.sink {
            Sink::Stdout { .. } => Vec::new(),
            Sink::Captured(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a line's time is for the reader; nothing depends on it")]
fn time_of_day() -> String {
    Timestamp::now().strftime("%H:%M:%SZ").to_string()
}

fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests;
