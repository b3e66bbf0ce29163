//! Memory and processor time of a process, from Linux's `/proc`.

use std::time::Duration;

use crate::Result;

/// Resident memory in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Resident {
    /// Current.
    pub(crate) now: u64,
    /// Maximum so far.
    pub(crate) peak: u64,
}

/// Returns `VmRSS` and `VmHWM` (proc_pid_status(5)).
pub(crate) fn resident(pid: u32) -> Result<Resident> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let bytes = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
        let kibibytes = line.split_whitespace().next().ok_or("an empty value")?;
        Ok(kibibytes.parse::<u64>()? * 1024)
    };
    Ok(Resident { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

/// Returns the processor time of all threads: the first number of each `schedstat`, in nanoseconds (Linux
/// documentation, "Scheduler Statistics").
pub(crate) fn processor_time(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let schedstat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += schedstat.split_whitespace().next().ok_or("an empty schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
