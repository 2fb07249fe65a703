//! A few threads that read, each with its own connection; a question sees one WAL snapshot from its first query on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::{Fault, QUEUE_MAX};

/// A read: gets a connection inside a transaction.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The readers' queue.
pub(super) struct Readers {
    queue: Mutex<Option<SyncSender<Read>>>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Readers {
    /// Starts one thread for each connection.
    pub(super) fn start(connections: Vec<Connection>) -> Result<Self, Fault> {
        let (queue, waiting) = sync_channel(QUEUE_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut threads = Vec::new();
        for (number, connection) in connections.into_iter().enumerate() {
            let waiting = waiting.clone();
            let thread = std::thread::Builder::new().name(format!("formwork-reader-{number}"));
            let thread = thread.spawn(move || run(&connection, &waiting));
            threads.push(thread.map_err(|error| Fault::of("starting a reader", error))?);
        }
        Ok(Self { queue: Mutex::new(Some(queue)), threads: Mutex::new(threads) })
    }

    /// Queues a read; false when the queue is full.
    pub(super) fn submit(&self, read: Read) -> Result<bool, Fault> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match queue.map(|queue| queue.try_send(read)) {
            Some(Ok(())) => Ok(true),
            Some(Err(TrySendError::Full(_))) => Ok(false),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(Fault::new("the store is closed")),
        }
    }

    /// Finishes what waits and closes the connections.
    pub(super) fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, waiting: &Mutex<Receiver<Read>>) {
    loop {
        // The lock is held while waiting: one reader waits at the queue, the others at the lock.
        let read = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = read else { return };
        if let Err(error) = connection.execute_batch("BEGIN DEFERRED") {
            tracing::error!(%error, "beginning to read");
        }
        let _ = catch_unwind(AssertUnwindSafe(|| read(connection)));
        if let Err(error) = connection.execute_batch("ROLLBACK") {
            tracing::error!(%error, "ending to read");
        }
    }
}
