//! Times of several contestants at the same work, and the table that they make.

use std::time::Duration;

pub(crate) struct Contest {
    title: String,
    rows: u64,
    bytes: Option<u64>,
    times: Vec<(String, Vec<Duration>)>,
}

impl Contest {
    pub(crate) fn new(title: String, rows: u64) -> Self {
        Self {
            title,
            rows,
            bytes: None,
            times: Vec::new(),
        }
    }

    /// How much was made, where that is the measure.
    pub(crate) fn bytes(&mut self, bytes: u64) {
        self.bytes = Some(bytes);
    }

    pub(crate) fn took(&mut self, who: &str, time: Duration) {
        match self.times.iter_mut().find(|(name, _)| name == who) {
            Some((_, times)) => times.push(time),
            None => self.times.push((who.to_owned(), vec![time])),
        }
    }

    /// The table; `ours` is what the others are compared with.
    pub(crate) fn print(&self, ours: Option<&str>) {
        println!("{}", self.title);
        let base = ours
            .and_then(|ours| self.times.iter().find(|(name, _)| name == ours))
            .map(|(_, times)| median(times));
        for (name, times) in &self.times {
            let time = median(times).as_secs_f64();
            let mut line = format!(
                "  {name:42} {time:8.3} s  {:12.0} rows/s",
                self.rows as f64 / time
            );
            if let Some(bytes) = self.bytes {
                line += &format!("  {:7.0} MB/s", bytes as f64 / time / 1e6);
            }
            if let Some(base) = base.filter(|_| ours != Some(name.as_str())) {
                line += &format!(
                    "  pgproof is {:.2} times as fast",
                    time / base.as_secs_f64()
                );
            }
            println!("{line}");
        }
        println!();
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
