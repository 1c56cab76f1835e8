//! Work that only computes, kept from the threads that answer requests: what a document or an answer makes take long
//! holds up other such work, and nothing else.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use crate::contain::blocking;

/// Threads for computing: half of the cores, and one at least, so that acknowledgements always find a core that is not
/// taken. With a single core the system shares it out, and half of it is more than they need.
#[derive(Debug, Clone)]
pub struct Compute {
    room: Arc<Semaphore>,
}

impl Default for Compute {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Compute { room: Arc::new(Semaphore::new((cores / 2).max(1))) }
    }
}

impl Compute {
    /// Does `work` when there is room. It must have an end of its own: it cannot be broken off, and what waits for it
    /// may go away.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let room = self.room.clone().acquire_owned().await.expect("it is never closed");
        blocking(move || {
            let done = work();
            drop(room);
            done
        })
        .await
    }

    /// Takes all the room there is, so that a test sees what goes on without it.
    pub async fn taken(&self) -> impl Drop + use<> {
        let all = u32::try_from(self.room.available_permits()).unwrap_or(u32::MAX);
        self.room.clone().acquire_many_owned(all).await.expect("it is never closed")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn what_computes_holds_up_nothing_but_what_computes() {
        let compute = Compute { room: Arc::new(Semaphore::new(1)) };
        let (tell, told) = channel::<()>();
        let first = compute.run(move || told.recv());
        let second = compute.run(|| 2);
        // On this one thread the first waits for what is told only after both have begun.
        let (first, second, ()) = tokio::join!(first, second, async move { tell.send(()).unwrap() });
        assert_eq!((first, second), (Ok(()), 2));
    }

    #[tokio::test]
    async fn a_panic_is_that_of_whoever_waits_and_gives_its_room_back() {
        let compute = Compute { room: Arc::new(Semaphore::new(1)) };
        let ours = compute.clone();
        let died = tokio::spawn(async move { ours.run(|| panic!("computing")).await });
        assert!(died.await.unwrap_err().is_panic());
        assert_eq!(compute.run(|| 1).await, 1);
    }
}
