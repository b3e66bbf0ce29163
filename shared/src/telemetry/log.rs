//! Log lines: JSON objects with the members by which Lambda filters lines, `timestamp` and `level`. Without an RFC 3339
//! timestamp, Lambda takes every line for `INFO` (Lambda Developer Guide, *Log-level filtering*).

use std::fmt;

use lambda_runtime::tracing::subscriber::{
    self,
    filter::{LevelFilter, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter,
        format::{JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};
use serde::Deserialize;
use tracing::{Event, Subscriber};

use crate::domain::system::System;

/// Writes log events of at least this level, and panics, to standard output.
pub(super) fn init(level: &str, system: System) {
    subscriber(level.parse().unwrap_or(LevelFilter::INFO), system, std::io::stdout).init();
    // The default hook writes text, which Lambda takes for `INFO`.
    std::panic::set_hook(Box::new(|panic| tracing::error!(error = %panic, "panicked")));
}

fn subscriber<W>(level: LevelFilter, system: System, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    subscriber::fmt()
        .fmt_fields(JsonFields::new())
        .event_format(JsonLine { system })
        .with_writer(writer)
        // The span of the invocation has the level INFO. A higher level would remove it, and the ID with it.
        .with_max_level(level.max(LevelFilter::INFO))
        .finish()
        .with(filter_fn(move |metadata| metadata.is_span() || *metadata.level() <= level))
}

/// Formats an event as `timestamp`, `level`, `requestId` of the invocation, and `fields`.
struct JsonLine {
    system: System,
}

/// The fields of the span that `lambda_runtime` enters for an invocation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    request_id: String,
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> FormatEvent<S, JsonFields> for JsonLine {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, r#"{{"timestamp":"{}","level":"{}","#, self.system.now(), event.metadata().level())?;
        if let Some(span) = context.event_scope().and_then(|scope| scope.from_root().next()) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>().map(|fields| fields.fields.as_str());
            if let Ok(invocation) = serde_json::from_str::<Invocation>(fields.unwrap_or_default()) {
                write!(writer, r#""requestId":"{}","#, invocation.request_id)?;
            }
        }
        writer.write_str(r#""fields":"#)?;
        context.format_fields(writer.by_ref(), event)?;
        writer.write_str("}\n")
    }
}

#[cfg(test)]
mod tests;
