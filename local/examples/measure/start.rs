//! From the start of a process to its first request for an event.

use crate::report::{Table, milliseconds, quantile, say};
use crate::rig::Rig;
use crate::{Result, process};

const STARTS: usize = 30;

pub(crate) async fn measure(rig: &Rig) -> Result<()> {
    let mut table = Table::new(&["function", "median, ms", "least", "most", "processor time, median"]);
    for function in rig.function_names() {
        let (mut times, mut processor) = (Vec::with_capacity(STARTS), Vec::with_capacity(STARTS));
        for _ in 0..STARTS {
            let functions = rig.functions().await?;
            let provisioned = functions.lambda.provision(function).await?;
            times.push(provisioned.init);
            processor.push(process::processor_time(provisioned.pid)?);
            functions.lambda.stop().await;
        }
        let [least, median, most] = [0.0, 0.5, 1.0].map(|share| milliseconds(quantile(&mut times, share)));
        table.row([function.to_owned(), median, least, most, milliseconds(quantile(&mut processor, 0.5))]);
    }
    say(&format!("### Process start to first poll, {STARTS} starts each\n\n{table}"))
}
