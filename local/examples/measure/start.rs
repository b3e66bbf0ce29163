//! Time from process start to the first poll for an event.

use crate::{
    Result,
    harness::Harness,
    process,
    report::{Table, milliseconds, print, quantile},
};

const STARTS: usize = 30;

pub(crate) async fn measure(harness: &Harness) -> Result<()> {
    let mut table = Table::new(&["function", "median, ms", "minimum", "maximum", "CPU time, ms (median)"]);
    for function in harness.function_names() {
        let (mut times, mut processor) = (Vec::with_capacity(STARTS), Vec::with_capacity(STARTS));
        for _ in 0..STARTS {
            let functions = harness.functions().await?;
            let provisioned = functions.lambda.provision(function).await?;
            times.push(provisioned.init);
            processor.push(process::processor_time(provisioned.pid)?);
            functions.lambda.stop().await;
        }
        let [minimum, median, maximum] = [0.0, 0.5, 1.0].map(|share| milliseconds(quantile(&mut times, share)));
        table.row([function.to_owned(), median, minimum, maximum, milliseconds(quantile(&mut processor, 0.5))]);
    }
    print(&format!("### Process start to first poll, {STARTS} starts each\n\n{table}"))
}
