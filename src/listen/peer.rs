//! An address, as far as it tells one sender from another, and which of them are known.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an address is known after something right came from it: over a night without changes.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Addresses that are remembered. Only holders of a secret get on the list, and they are a handful.
const KNOWN_ADDRESSES: usize = 1_024;

/// The bits of an IPv6 address that a network is given; the rest its hosts choose as they like.
const NETWORK: u128 = u128::MAX << 64;

/// An IPv4 address, or the network of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Peer {
        Peer(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// The addresses from which something right came lately, and until when they are known.
#[derive(Default)]
pub struct KnownPeers(Mutex<HashMap<Peer, Instant>>);

impl KnownPeers {
    /// The list, to look many addresses up in.
    pub fn list(&self) -> List<'_> {
        // A thread that panicked in here changed one address or none.
        List(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub struct List<'a>(MutexGuard<'a, HashMap<Peer, Instant>>);

impl List<'_> {
    pub fn has(&self, peer: Peer, now: Instant) -> bool {
        self.0.get(&peer).is_some_and(|until| *until > now)
    }

    pub fn add(&mut self, peer: Peer, now: Instant) {
        if self.0.len() >= KNOWN_ADDRESSES && !self.0.contains_key(&peer) {
            let oldest = self.0.iter().min_by_key(|(_, until)| **until).map(|(peer, _)| *peer);
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(peer, now + KNOWN_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_known_forgets_after_a_day_and_holds_only_so_many() {
        let (known, now) = (KnownPeers::default(), Instant::now());
        let peer = |n: u32| Peer::from(IpAddr::from(n.to_be_bytes()));
        for n in 0..=1_024 {
            known.list().add(peer(n), now + Duration::from_secs(n.into()));
        }
        assert!(!known.list().has(peer(0), now) && known.list().has(peer(1), now));
        assert!(!known.list().has(peer(1), now + KNOWN_FOR + Duration::from_secs(1)));
    }

    #[test]
    fn hosts_of_one_network_are_one_and_the_two_ways_to_write_an_address_are_too() {
        let peer = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1:2:3"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}
