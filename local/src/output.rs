//! Output output of the local run: one line per event.

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

/// The origin of an output line. It selects the label and its color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The local run itself: startup, addresses, shutdown.
    Local,
    /// A completed request to the HTTP API.
    Request,
    /// A log line of a function, or an invocation that did not come over HTTP.
    Function,
    /// The DynamoDB event source mapping.
    Stream,
    /// A schedule.
    Schedule,
    /// The simulated WhatsApp.
    WhatsApp,
    /// The receiver of outgoing webhooks.
    Receiver,
    /// An error or warning that needs attention.
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
            Kind::Receiver => "receiver",
            Kind::Problem => "problem",
        }
    }

    /// Returns the ANSI color of the label (ECMA-48, *Select Graphic Rendition*).
    fn color(self) -> &'static str {
        match self {
            Kind::Local => "1",
            Kind::Request => "36",
            Kind::Function => "34",
            Kind::Stream | Kind::Schedule => "35",
            Kind::WhatsApp | Kind::Receiver => "32",
            Kind::Problem => "31",
        }
    }
}

/// A handle to the output: standard output, or memory in a test. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Output {
    sink: Arc<Sink>,
}

#[derive(Debug)]
enum Sink {
    Stdout { colors: bool },
    Captured(Mutex<Vec<String>>),
}

impl Output {
    /// Writes to standard output, in color if it is a terminal.
    pub fn stdout() -> Output {
        let colors = std::io::stdout().is_terminal();
        Output { sink: Arc::new(Sink::Stdout { colors }) }
    }

    /// Stores the lines in memory for [`Output::lines`].
    pub fn captured() -> Output {
        Output { sink: Arc::new(Sink::Captured(Mutex::default())) }
    }

    /// Writes one line. Escapes line breaks and control characters in `text`, so that client input cannot forge a line
    /// or control the terminal.
    pub fn line(&self, kind: Kind, text: impl AsRef<str>) {
        let text = printable(text.as_ref());
        match &*self.sink {
            Sink::Stdout { colors } => {
                let (time, label) = (time_of_day(), kind.label());
                let line = if *colors {
                    format!("{time} \x1b[{}m{label:<8}\x1b[0m {text}\n", kind.color())
                } else {
                    format!("{time} {label:<8} {text}\n")
                };
                // Ignore a closed pipe (`| head`): it must not end the run.
                let _ = std::io::stdout().lock().write_all(line.as_bytes());
            }
            Sink::Captured(lines) => {
                let line = format!("{:<8} {text}", kind.label());
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        }
    }

    /// Returns the captured lines, oldest first. Empty for one that writes to standard output.
    pub fn lines(&self) -> Vec<String> {
        match &*self.sink {
            Sink::Stdout { .. } => Vec::new(),
            Sink::Captured(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

fn time_of_day() -> String {
    Timestamp::now().strftime("%H:%M:%SZ").to_string()
}

fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests;
