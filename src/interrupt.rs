//! The wish to stop, as one value that everything long-running carries: set once by a signal, seen by threads
//! (`is_set`), futures (`wait`) and whatever must be notified (`on_set`: a session cancels its running statement).
//! Knows no signals and no database.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Returned by work that was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// How many parts of the program only read at the moment.
static READING: AtomicUsize = AtomicUsize::new(0);

/// Says, as long as it lives, that there is nothing to clean up: whoever asks to stop need not wait for the work to hear it.
#[derive(Debug)]
pub struct NothingToClean(());

/// While input is read and parsed, which no loop can interrupt and nothing depends on.
#[must_use]
pub fn reading() -> NothingToClean {
    READING.fetch_add(1, Ordering::SeqCst);
    NothingToClean(())
}

impl Drop for NothingToClean {
    fn drop(&mut self) {
        READING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether input is read at the moment.
#[must_use]
pub fn is_reading() -> bool {
    READING.load(Ordering::SeqCst) > 0
}

/// Set once, never unset. Cheap to clone; every clone is the same interrupt.
#[derive(Clone)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

type Callback = Arc<dyn Fn() + Send + Sync>;

struct Shared {
    state: watch::Sender<bool>,
    callbacks: Mutex<BTreeMap<u64, Callback>>,
    next: AtomicU64,
}

impl Default for Interrupt {
    fn default() -> Self {
        let (state, _) = watch::channel(false);
        Self {
            shared: Arc::new(Shared {
                state,
                callbacks: Mutex::default(),
                next: AtomicU64::new(0),
            }),
        }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.is_set()).finish()
    }
}

impl Interrupt {
    /// An interrupt that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it and tells everyone who asked, once.
    pub fn set(&self) {
        if self.shared.state.send_replace(true) {
            return;
        }
        let callbacks: Vec<Callback> = self.callbacks().values().cloned().collect();
        for callback in callbacks {
            callback();
        }
    }

    /// Whether work should stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.shared.state.borrow()
    }

    /// `Err` where work should stop: `interrupt.check()?` in a loop.
    ///
    /// # Errors
    /// [`Interrupted`] once the interrupt is set.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.is_set() {
            Err(Interrupted)
        } else {
            Ok(())
        }
    }

    /// Completes when the interrupt is set.
    pub async fn wait(&self) {
        let mut receiver = self.shared.state.subscribe();
        // The sender lives as long as `self`, so this cannot fail before the value is true.
        let _ = receiver.wait_for(|set| *set).await;
    }

    /// Runs `future` unless the interrupt comes first.
    ///
    /// # Errors
    /// [`Interrupted`] where the interrupt came first; the future is dropped.
    pub async fn race<F: Future>(&self, future: F) -> Result<F::Output, Interrupted> {
        tokio::select! {
            biased;
            () = self.wait() => Err(Interrupted),
            output = future => Ok(output),
        }
    }

    /// Calls `callback` when the interrupt is set (at once where it already is) until the registration is dropped.
    #[must_use]
    pub fn on_set(&self, callback: impl Fn() + Send + Sync + 'static) -> Registration {
        let key = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let callback: Callback = Arc::new(callback);
        self.callbacks().insert(key, Arc::clone(&callback));
        if self.is_set() {
            callback();
        }
        Registration {
            interrupt: self.clone(),
            key,
        }
    }

    fn callbacks(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Callback>> {
        self.shared
            .callbacks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a callback registered.
#[derive(Debug)]
pub struct Registration {
    interrupt: Interrupt,
    key: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.interrupt.callbacks().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn callbacks_run_once_and_only_while_registered() {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = |calls: &Arc<AtomicUsize>| {
            let calls = Arc::clone(calls);
            move || {
                calls.fetch_add(1, Ordering::SeqCst);
            }
        };
        let interrupt = Interrupt::new();
        let kept = interrupt.on_set(count(&calls));
        drop(interrupt.on_set(count(&calls)));
        assert_eq!(interrupt.check(), Ok(()));
        interrupt.set();
        interrupt.set();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        let clone = interrupt.clone();
        assert_eq!(
            (clone.check(), interrupt.check()),
            (Err(Interrupted), Err(Interrupted))
        );
        let _late = interrupt.on_set(count(&calls));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        drop(kept);
    }

    #[tokio::test]
    async fn race_ends_when_set() {
        let interrupt = Interrupt::new();
        assert_eq!(interrupt.race(async { 7 }).await, Ok(7));
        let setter = interrupt.clone();
        tokio::spawn(async move { setter.set() });
        assert_eq!(
            interrupt.race(std::future::pending::<()>()).await,
            Err(Interrupted)
        );
    }
}
