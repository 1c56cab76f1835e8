//! How much is held, and how much may be.

use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// So many files, which take so much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub files: i64,
    /// Bytes of File objects.
    pub bytes: i64,
    /// Bytes that vector stores keep of them, which is what is paid for: where OpenAI has not said it, those of the File objects.
    pub stored: i64,
}

impl Amount {
    /// One file of this size, before OpenAI has it.
    pub fn of_file(size: u64) -> Self {
        let bytes = i64::try_from(size).unwrap_or(i64::MAX / 4);
        Amount { files: 1, bytes, stored: bytes }
    }

    /// Of this only where there is something of `other`.
    pub fn where_positive(self, other: Amount) -> Self {
        let part = |own: i64, other: i64| if other > 0 { own } else { 0 };
        Amount {
            files: part(self.files, other.files),
            bytes: part(self.bytes, other.bytes),
            stored: part(self.stored, other.stored),
        }
    }

    /// Whether it is at least `other` in everything.
    pub fn covers(self, other: Amount) -> bool {
        self.files >= other.files && self.bytes >= other.bytes && self.stored >= other.stored
    }
}

impl Add for Amount {
    type Output = Amount;

    fn add(self, other: Amount) -> Amount {
        Amount {
            files: self.files.saturating_add(other.files),
            bytes: self.bytes.saturating_add(other.bytes),
            stored: self.stored.saturating_add(other.stored),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        *self = *self + other;
    }
}

impl Sub for Amount {
    type Output = Amount;

    fn sub(self, other: Amount) -> Amount {
        Amount {
            files: self.files.saturating_sub(other.files),
            bytes: self.bytes.saturating_sub(other.bytes),
            stored: self.stored.saturating_sub(other.stored),
        }
    }
}

/// The most that may be held; what is `None` has no end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Most {
    pub files: Option<i64>,
    pub bytes: Option<i64>,
    pub stored: Option<i64>,
}

impl Most {
    /// By how much `amount` is more than that; none where it is not.
    pub fn over(&self, amount: Amount) -> Option<Amount> {
        let over = |held: i64, most: Option<i64>| most.map_or(0, |most| held.saturating_sub(most).max(0));
        let over = Amount {
            files: over(amount.files, self.files),
            bytes: over(amount.bytes, self.bytes),
            stored: over(amount.stored, self.stored),
        };
        (over != Amount::default()).then_some(over)
    }

    /// So many hundredths of it.
    pub fn hundredths(&self, hundredths: i64) -> Most {
        let part =
            |most: Option<i64>| most.map(|most| (i128::from(most) * i128::from(hundredths) / 100) as i64);
        Most { files: part(self.files), bytes: part(self.bytes), stored: part(self.stored) }
    }

    /// As an amount, in which what has no end is nothing.
    pub fn amount(&self) -> Amount {
        let number = |most: Option<i64>| most.unwrap_or_default();
        Amount { files: number(self.files), bytes: number(self.bytes), stored: number(self.stored) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_told_for_what_has_an_end() {
        let most = Most { files: Some(2), bytes: None, stored: Some(10) };
        let held = |files, bytes, stored| Amount { files, bytes, stored };
        assert_eq!(most.over(held(2, 1_000, 10)), None);
        assert_eq!(most.over(held(3, 1_000, 14)), Some(held(1, 0, 4)));
        assert_eq!(most.hundredths(90), Most { files: Some(1), bytes: None, stored: Some(9) });
        assert!(held(1, 0, 5).covers(held(1, 0, 4)) && !held(0, 9, 9).covers(held(1, 0, 0)));
    }
}
