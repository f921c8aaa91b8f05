//! Credentials opened a short while ago, so that reading one again need not open it again.
//!
//! An entry counts only while the stored bytes are those that were opened: it cannot be stale,
//! whoever wrote. Bounded, and wiped on drop.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use crate::credential::Credential;
use crate::keys::RowKey;

/// The most stored bytes that entries stand for together.
const CAPACITY: usize = 1_048_576;

/// A cache that drops the oldest entry first.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    by_key: HashMap<RowKey, Entry>,
    oldest_first: VecDeque<RowKey>,
    size: usize,
}

struct Entry {
    stored: Vec<u8>,
    credential: Credential,
}

impl Cache {
    /// The credential that was opened from exactly these bytes.
    pub(super) fn find(&self, key: &RowKey, stored: &[u8]) -> Option<Credential> {
        let entries = self.0.lock();
        let entry = entries.by_key.get(key)?;
        (entry.stored == stored).then(|| entry.credential.clone())
    }

    /// Keeps a credential together with the bytes it was opened from.
    pub(super) fn keep(&self, key: RowKey, stored: Vec<u8>, credential: &Credential) {
        if stored.len() > CAPACITY {
            return;
        }
        let mut entries = self.0.lock();
        entries.remove(&key);
        entries.size += stored.len();
        entries.oldest_first.push_back(key);
        entries.by_key.insert(key, Entry { stored, credential: credential.clone() });
        while entries.size > CAPACITY {
            let Some(oldest) = entries.oldest_first.front().copied() else { break };
            entries.remove(&oldest);
        }
    }

    /// Drops all entries.
    pub(super) fn clear(&self) {
        *self.0.lock() = Entries::default();
    }
}

impl Entries {
    fn remove(&mut self, key: &RowKey) {
        if let Some(entry) = self.by_key.remove(key) {
            self.size -= entry.stored.len();
            self.oldest_first.retain(|own| own != key);
        }
    }
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} entries", self.by_key.len())
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::credential::{CredentialId, Edit};

    fn credential() -> Credential {
        let id = CredentialId::new("a").unwrap();
        Edit::new().password("p").apply(&id, None, 0, Utc::now()).unwrap()
    }

    #[test]
    fn other_bytes_are_another_credential() {
        let cache = Cache::default();
        cache.keep([1; 20], vec![1], &credential());
        assert!(cache.find(&[1; 20], &[1]).is_some());
        assert!(cache.find(&[1; 20], &[2]).is_none());
        cache.clear();
        assert!(cache.find(&[1; 20], &[1]).is_none());
    }

    #[test]
    fn the_oldest_goes_when_it_is_full() {
        let cache = Cache::default();
        let third = vec![0; CAPACITY / 3];
        for key in 0..4 {
            cache.keep([key; 20], third.clone(), &credential());
        }
        assert!(cache.find(&[0; 20], &third).is_none());
        for key in 1..4 {
            assert!(cache.find(&[key; 20], &third).is_some(), "{key}");
        }
        assert_eq!(cache.0.lock().size, 3 * third.len());
    }
}
