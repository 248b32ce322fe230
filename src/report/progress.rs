//! Shows progress events on stderr: bars on a terminal, lines in a pipe. The only place that does. What takes less than a
//! second is not shown; what took longer leaves one line.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{Event, Progress, Unit};
use crate::secret::redact;
use crate::units::{Bytes, Count, Millis};
use crate::visible;

/// A task that ends sooner is never seen.
const DELAY: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
/// In a pipe, how often a line says what is being done.
const SILENCE: Duration = Duration::from_secs(10);

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Nothing: `--quiet`.
    Nothing,
    /// Bars and notes: stderr is a terminal.
    Bars,
    /// Notes alone, a line each: stderr is a pipe or a file.
    Notes,
}

/// Whether events of the kind `Detail` are shown: `--verbose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Details {
    Hidden,
    Told,
}

/// Shows the events of the [`Progress`] that it hands out, until it is dropped.
#[derive(Debug)]
pub struct Display {
    state: Arc<Mutex<State>>,
}

impl Display {
    /// A display on stderr.
    #[must_use]
    pub fn on_stderr(show: Show, details: Details) -> Self {
        match show {
            Show::Nothing => Self::with(Screen::Nothing, details, DELAY),
            Show::Bars => Self::with(Screen::bars(ProgressDrawTarget::stderr()), details, DELAY),
            Show::Notes => Self::with(Screen::Lines(Box::new(std::io::stderr())), details, DELAY),
        }
    }

    fn with(screen: Screen, details: Details, delay: Duration) -> Self {
        let state = Arc::new(Mutex::new(State {
            screen,
            details,
            delay,
            tasks: BTreeMap::new(),
            last_line_at: Instant::now(),
        }));
        let weak = Arc::downgrade(&state);
        if !matches!(lock(&state).screen, Screen::Nothing) {
            // Without the thread the bars would stand still, and lines appear late, while a task says nothing. They do where
            // the system has no thread to give: no reason to fail.
            let _ = std::thread::Builder::new()
                .name("progress".to_owned())
                .spawn(move || tick(&weak));
        }
        Self { state }
    }

    /// Where the work sends its events.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let state = Arc::downgrade(&self.state);
        Progress::to(move |event| {
            if let Some(state) = state.upgrade() {
                lock(&state).handle(event);
            }
        })
    }
}

/// Bars of tasks that never finished must not stay above the report.
impl Drop for Display {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.tasks.clear();
        if let Screen::Bars(bars) = &state.screen {
            // A terminal that went away has nothing to clear.
            let _ = bars.clear();
        }
    }
}

fn tick(state: &Weak<Mutex<State>>) {
    loop {
        std::thread::sleep(TICK);
        let Some(state) = state.upgrade() else { return };
        lock(&state).tick();
    }
}

/// A panic elsewhere while an event was shown leaves nothing that could be half-done.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Screen {
    Nothing,
    Bars(MultiProgress),
    Lines(Box<dyn Write + Send>),
}

impl Screen {
    fn bars(target: ProgressDrawTarget) -> Self {
        Self::Bars(MultiProgress::with_draw_target(target))
    }

    /// A line that stays.
    fn line(&mut self, text: &str) {
        // Progress on a stderr that is closed or full is lost; the work goes on.
        match self {
            Self::Nothing => {}
            Self::Bars(bars) => drop(bars.println(text)),
            Self::Lines(out) => drop(writeln!(out, "{text}").and_then(|()| out.flush())),
        }
    }
}

struct State {
    screen: Screen,
    details: Details,
    delay: Duration,
    tasks: BTreeMap<u64, Shown>,
    /// When a line was written last.
    last_line_at: Instant,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

/// A task that runs.
#[derive(Debug)]
struct Shown {
    label: String,
    unit: Unit,
    total: Option<u64>,
    position: u64,
    doing: String,
    started: Instant,
    /// When all of `total` was done; the task may last longer than its work.
    complete: Option<Instant>,
    /// Once the task is old enough.
    bar: Option<ProgressBar>,
}

impl State {
    fn handle(&mut self, event: Event) {
        match event {
            Event::Started {
                task,
                label,
                unit,
                total,
            } => {
                let started = Instant::now();
                let (position, doing) = (0, String::new());
                let shown = Shown {
                    label: visible::line(&label).into_owned(),
                    unit,
                    total,
                    position,
                    doing,
                    started,
                    complete: None,
                    bar: None,
                };
                self.tasks.insert(task, shown);
            }
            Event::Advanced { task, by } => {
                if let Some(shown) = self.tasks.get_mut(&task) {
                    shown.position = shown.position.saturating_add(by);
                    if shown.complete.is_none() && Some(shown.position) == shown.total {
                        shown.complete = Some(Instant::now());
                    }
                    if let Some(bar) = &shown.bar {
                        bar.set_position(shown.position);
                    }
                }
            }
            Event::Doing { task, what } => {
                if let Some(shown) = self.tasks.get_mut(&task) {
                    shown.doing = visible::line(&what).into_owned();
                    if let Some(bar) = &shown.bar {
                        bar.set_message(shown.doing.clone());
                    }
                }
            }
            Event::Finished { task } => self.finish(task),
            Event::Note(text) => self.line(&shown(&text)),
            Event::Detail(text) => match self.details {
                Details::Told => self.line(&shown(&text)),
                Details::Hidden => {}
            },
        }
    }

    fn finish(&mut self, task: u64) {
        let Some(shown) = self.tasks.remove(&task) else {
            return;
        };
        let elapsed = shown
            .complete
            .unwrap_or_else(Instant::now)
            .duration_since(shown.started);
        if let Some(bar) = &shown.bar {
            bar.finish_and_clear();
        }
        if let Screen::Bars(bars) = &self.screen {
            if let Some(bar) = &shown.bar {
                bars.remove(bar);
            }
            if elapsed >= self.delay {
                self.screen.line(&shown.trace(elapsed));
            }
        }
    }

    fn line(&mut self, text: &str) {
        self.screen.line(text);
        self.last_line_at = Instant::now();
    }

    /// In a pipe: the task that began last, where nothing was said for long.
    fn tell_waiting(&mut self) {
        if self.last_line_at.elapsed() < SILENCE {
            return;
        }
        let Some(task) = self.tasks.values().last() else {
            return;
        };
        let text = task.so_far();
        self.line(&text);
    }

    fn tick(&mut self) {
        let bars = match &self.screen {
            Screen::Bars(bars) => bars,
            Screen::Lines(_) => return self.tell_waiting(),
            Screen::Nothing => return,
        };
        for shown in self.tasks.values_mut() {
            if shown.bar.is_none() && shown.started.elapsed() >= self.delay {
                let bar = bars.add(shown.new_bar());
                // The time left is reckoned from here: what was done before was done in no time that the bar has seen.
                bar.reset_eta();
                shown.bar = Some(bar);
            }
            if let Some(bar) = &shown.bar {
                bar.tick();
            }
        }
    }
}

impl Shown {
    fn new_bar(&self) -> ProgressBar {
        // Hidden until it is among the others: a bar of its own would draw itself beside them, and stay.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
            .with_elapsed(self.started.elapsed())
            .with_position(self.position)
            .with_message(self.doing.clone());
        if let Some(total) = self.total {
            bar.set_length(total);
        }
        bar.with_prefix(self.label.clone())
            .with_style(style(self.unit, self.total))
    }

    /// `running queries: 12 of 59 after 40.0 s, about 2 min 37 s left: ListOrders`.
    fn so_far(&self) -> String {
        let elapsed = self.started.elapsed().as_secs_f64();
        let count = |number: u64| match self.unit {
            Unit::Bytes => Bytes(number).to_string(),
            Unit::Rows | Unit::Steps | Unit::UnevenSteps => Count(number as f64).to_string(),
        };
        let unit = match self.unit {
            Unit::Rows => " rows",
            Unit::Bytes | Unit::Steps | Unit::UnevenSteps => "",
        };
        let done = match self.total {
            Some(total) => format!("{} of {}{unit} ", count(self.position), count(total)),
            None if self.position > 0 => format!("{}{unit} ", count(self.position)),
            None => String::new(),
        };
        let left = self
            .total
            .filter(|_| self.unit != Unit::UnevenSteps)
            .filter(|total| self.position > 0 && *total > self.position)
            .map(|total| {
                let each = elapsed / self.position as f64;
                let left = each * (total - self.position) as f64;
                format!(", about {} left", Millis(left * 1000.0))
            })
            .unwrap_or_default();
        let doing = if self.doing.is_empty() {
            String::new()
        } else {
            format!(": {}", self.doing)
        };
        let text = format!(
            "{}: {done}after {}{left}{doing}",
            self.label,
            Millis(elapsed * 1000.0)
        );
        shown(&text)
    }

    /// What stays of a task: `seeding orders: 3,214,000 rows in 21.00 s`.
    fn trace(&self, elapsed: Duration) -> String {
        let time = Millis(elapsed.as_secs_f64() * 1000.0);
        let count = |number: u64| Count(number as f64).to_string();
        let done = match (self.unit, self.position) {
            (_, 0) => String::new(),
            (Unit::Rows, rows) => format!("{} rows in ", count(rows)),
            (Unit::Bytes, bytes) => format!("{} in ", Bytes(bytes)),
            (Unit::Steps | Unit::UnevenSteps, steps) => match self.total {
                Some(total) if total != steps => {
                    format!("{} of {} in ", count(steps), count(total))
                }
                Some(_) | None => format!("{} in ", count(steps)),
            },
        };
        format!("{}: {done}{time}", self.label)
    }
}

/// Names, server messages and what else others wrote, without what a terminal would obey, and without passwords.
fn shown(text: &str) -> String {
    visible::text(&redact(text)).into_owned()
}

fn template(unit: Unit, total: Option<u64>) -> &'static str {
    match (unit, total) {
        (Unit::Rows, Some(_)) => {
            "{prefix:26!} {bar:20} {percent:>3} %  {human_pos} rows  {eta} left  {wide_msg}"
        }
        (Unit::Bytes, Some(_)) => {
            "{prefix:26!} {bar:20} {percent:>3} %  {bytes}  {eta} left  {wide_msg}"
        }
        (Unit::Steps | Unit::UnevenSteps, Some(_)) => {
            "{prefix:26!} {bar:20} {human_pos}/{human_len}  {wide_msg}"
        }
        (Unit::Rows, None) => "{prefix:26!} {spinner} {human_pos} rows  {elapsed}  {wide_msg}",
        (Unit::Bytes, None) => "{prefix:26!} {spinner} {bytes}  {elapsed}  {wide_msg}",
        (Unit::Steps | Unit::UnevenSteps, None) => "{prefix:26!} {spinner} {elapsed}  {wide_msg}",
    }
}

fn style(unit: Unit, total: Option<u64>) -> ProgressStyle {
    // A test holds that the templates are valid; the default bar would do as well.
    ProgressStyle::with_template(template(unit, total))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━╌")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Keeps what is written.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        fn push(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().extend_from_slice(text.as_bytes());
            Ok(())
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl indicatif::TermLike for Paper {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.push(&format!("{line}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.push(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.push("\r")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bars(delay: Duration) -> (Display, Paper) {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(paper.clone()), 255);
        (
            Display::with(Screen::bars(target), Details::Hidden, delay),
            paper,
        )
    }

    #[test]
    fn a_pipe_gets_notes_alone() {
        for (details, expected) in [
            (Details::Hidden, "hello\n"),
            (Details::Told, "hello\nmore\n"),
        ] {
            let paper = Paper::default();
            let display = Display::with(
                Screen::Lines(Box::new(paper.clone())),
                details,
                Duration::ZERO,
            );
            let progress = display.progress();
            let task = progress.task("seeding", Unit::Rows, Some(10));
            task.advance(10);
            progress.note("hello");
            progress.detail("more");
            drop(task);
            assert_eq!(paper.text(), expected);
        }
    }

    #[test]
    fn a_short_task_is_not_seen() {
        let (display, paper) = bars(Duration::from_secs(60));
        let task = display.progress().task("seeding", Unit::Rows, Some(10));
        std::thread::sleep(TICK * 3);
        drop(task);
        drop(display);
        assert!(!paper.text().contains("seeding"), "{:?}", paper.text());
    }

    #[test]
    fn a_long_task_has_a_bar_and_leaves_a_line() {
        let (display, paper) = bars(Duration::ZERO);
        let task = display.progress().task("seeding", Unit::Rows, Some(4000));
        task.advance(1000);
        task.doing("orders");
        // Drawn by a thread of its own, which may have to wait for a processor.
        let patience = Instant::now() + Duration::from_secs(30);
        while !paper.text().contains("orders") && Instant::now() < patience {
            std::thread::sleep(TICK);
        }
        let while_running = paper.text();
        assert!(
            while_running.contains("25 %  1,000 rows"),
            "{while_running:?}"
        );
        assert!(while_running.contains("orders"), "{while_running:?}");
        drop(task);
        let after = paper.text();
        assert!(after.contains("seeding: 1,000 rows in "), "{after:?}");
    }

    fn task(unit: Unit, total: Option<u64>, position: u64) -> Shown {
        Shown {
            label: "x".to_owned(),
            unit,
            total,
            position,
            doing: String::new(),
            started: Instant::now(),
            complete: None,
            bar: None,
        }
    }

    #[test]
    fn only_steps_of_one_size_say_what_is_left() {
        assert!(task(Unit::Steps, Some(40), 10).so_far().contains(" left"));
        let uneven = task(Unit::UnevenSteps, Some(40), 10).so_far();
        assert!(uneven.starts_with("x: 10 of 40 after "), "{uneven}");
        assert!(!uneven.contains(" left"), "{uneven}");
    }

    #[test]
    fn what_stays_says_how_much() {
        let shown =
            |unit, total, position| task(unit, total, position).trace(Duration::from_millis(2500));
        assert_eq!(shown(Unit::Rows, Some(10), 10), "x: 10 rows in 2.50 s");
        assert_eq!(shown(Unit::Bytes, None, 3 << 20), "x: 3.0 MB in 2.50 s");
        assert_eq!(shown(Unit::Steps, Some(34), 34), "x: 34 in 2.50 s");
        assert_eq!(shown(Unit::Steps, Some(34), 12), "x: 12 of 34 in 2.50 s");
        assert_eq!(shown(Unit::Steps, None, 0), "x: 2.50 s");
    }

    #[test]
    fn every_template_is_valid() {
        for unit in [Unit::Rows, Unit::Bytes, Unit::Steps, Unit::UnevenSteps] {
            for total in [None, Some(1)] {
                ProgressStyle::with_template(template(unit, total)).unwrap();
            }
        }
    }
}
