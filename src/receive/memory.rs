//! The memory that all bodies share, and who gives it back when there is too little.
//!
//! A body whose signature is not checked yet only borrows its share. When there is too little for the next piece of another,
//! the largest such body gives way, a stranger's before a known sender's: so a client that sends much and proves nothing can
//! fill the memory, but keeps no body out that is smaller. Deliveries that were proven keep their share until they are on disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// There is too little memory, and no other body has to give way for this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLittle;

/// What all bodies together may hold. Clones are the same memory.
#[derive(Clone)]
pub struct Memory(Arc<Mutex<Books>>);

struct Books {
    free: usize,
    /// Who borrows, by number.
    borrowed: HashMap<u64, Borrower>,
    last: u64,
}

struct Borrower {
    bytes: usize,
    is_known: bool,
    give_way: Arc<Notify>,
}

impl Memory {
    pub fn new(bytes: usize) -> Memory {
        Memory(Arc::new(Mutex::new(Books { free: bytes, borrowed: HashMap::new(), last: 0 })))
    }

    /// A share of nothing yet, for a sender that is known or not.
    pub fn share(&self, is_known: bool) -> Share {
        let give_way = Arc::new(Notify::new());
        let mut books = self.books();
        books.last += 1;
        let id = books.last;
        books.borrowed.insert(id, Borrower { bytes: 0, is_known, give_way: give_way.clone() });
        Share { memory: self.clone(), id, kept: 0, give_way }
    }

    /// A thread that panicked in here changed one number or none.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One body's part of the memory. It is given back when this is dropped.
pub struct Share {
    memory: Memory,
    id: u64,
    /// What is held for good, since [`Share::keep`].
    kept: usize,
    give_way: Arc<Notify>,
}

impl Share {
    /// Borrows `bytes` more, from the largest borrower if need be.
    pub fn grow(&mut self, bytes: usize) -> Result<(), TooLittle> {
        let mut books = self.memory.books();
        let wanted = books.borrowed.get(&self.id).ok_or(TooLittle)?.rank(bytes);
        while books.free < bytes {
            let most = books.borrowed.iter().max_by_key(|(_, borrower)| borrower.rank(0));
            let (id, _) = most.filter(|(_, borrower)| borrower.rank(0) > wanted).ok_or(TooLittle)?;
            let id = *id;
            let gone = books.borrowed.remove(&id).expect("it was found just now");
            // It lets go as soon as it runs, which is before much else can come.
            books.free += gone.bytes;
            gone.give_way.notify_one();
        }
        books.free -= bytes;
        books.borrowed.get_mut(&self.id).expect("only others gave way").bytes += bytes;
        Ok(())
    }

    /// From now on no other body can have it.
    pub fn keep(&mut self) -> Result<(), TooLittle> {
        self.kept = self.memory.books().borrowed.remove(&self.id).ok_or(TooLittle)?.bytes;
        Ok(())
    }

    /// Returns when another body needs the memory more.
    pub async fn gives_way(&self) {
        self.give_way.notified().await;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut books = self.memory.books();
        let borrowed = books.borrowed.remove(&self.id).map_or(0, |borrower| borrower.bytes);
        books.free += self.kept + borrowed;
    }
}

impl Borrower {
    /// Who gives way is who ranks highest.
    fn rank(&self, more: usize) -> (bool, usize) {
        (!self.is_known, self.bytes + more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(memory: &Memory) -> usize {
        memory.books().free
    }

    #[test]
    fn the_largest_that_is_not_proven_gives_way_and_strangers_before_known_senders() {
        let memory = Memory::new(100);
        let (mut large, mut known, mut small) =
            (memory.share(false), memory.share(true), memory.share(false));
        large.grow(40).unwrap();
        known.grow(50).unwrap();
        small.grow(15).unwrap();
        assert_eq!((large.grow(1), free(&memory)), (Err(TooLittle), 35));
        assert_eq!(small.grow(36), Err(TooLittle), "a known sender gave way to a stranger");
        known.grow(45).unwrap();
        assert_eq!((small.grow(1), free(&memory)), (Err(TooLittle), 5));
        drop((large, known, small));
        assert_eq!(free(&memory), 100);
    }

    #[test]
    fn what_was_proven_is_kept_until_it_is_dropped() {
        let memory = Memory::new(100);
        let (mut proven, mut other) = (memory.share(false), memory.share(true));
        proven.grow(90).unwrap();
        proven.keep().unwrap();
        assert_eq!((other.grow(20), proven.grow(1)), (Err(TooLittle), Err(TooLittle)));
        drop(proven);
        other.grow(100).unwrap();
        assert_eq!(free(&memory), 0);
    }

    #[tokio::test]
    async fn who_has_to_give_way_is_told() {
        let memory = Memory::new(10);
        let (mut large, mut small) = (memory.share(false), memory.share(false));
        large.grow(10).unwrap();
        small.grow(1).unwrap();
        large.gives_way().await;
        assert_eq!(large.keep(), Err(TooLittle));
    }
}
