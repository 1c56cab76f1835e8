//! What the schema of a database is beside the one that this program knows, whichever engine keeps it.
//!
//! A migration says in its text which programs can go on beside it: `-- needs 3` are those that know migration 3, and no less. One that
//! says nothing is only for programs that know it. So a version is brought in while the one before it works (it *expands* the schema),
//! and what nothing uses any more is taken away by a later version (it *contracts* it), which the one before does not survive.

/// Stands in the table of migrations while a copy fills the database. No program knows it, of whatever version, so none works on it.
pub const UNFINISHED: i64 = i64::MAX;

/// The line of a migration that says which programs can go on beside it.
const NEEDS: &str = "-- needs ";

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Work,
    /// To be filled by a copy: it may be unfinished.
    Fill,
}

/// A migration that a database has on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    pub version: i64,
    /// The migration that a program has to know to work beside it. None is on record of those before this was written down.
    pub needs: Option<i64>,
}

/// What a schema is, beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Our migrations that it lacks.
    pub missing: usize,
    /// Those it has that we do not know.
    pub unknown: usize,
    pub standing: Standing,
}

/// What it means for this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none yet.
    None,
    /// It is to be brought up to date.
    Behind,
    /// This program can work with it, also where a newer one has changed it.
    Usable,
    /// A newer program has changed it, and this one cannot work with it.
    Beyond,
    /// A copy into the database was not finished.
    Unfinished,
}

/// Compares the migrations of a database with ours, by their numbers.
pub fn compare(ours: &[i64], applied: &[Applied]) -> Schema {
    let newest = ours.iter().max().copied().unwrap_or_default();
    let is_unknown = |one: &&Applied| one.version != UNFINISHED && !ours.contains(&one.version);
    let unknown: Vec<&Applied> = applied.iter().filter(is_unknown).collect();
    let missing = ours.iter().filter(|ours| applied.iter().all(|one| one.version != **ours)).count();
    let is_beyond = unknown.iter().any(|one| one.needs.is_none_or(|needs| needs > newest));
    let standing = if applied.iter().any(|one| one.version == UNFINISHED) {
        Standing::Unfinished
    } else if is_beyond || (missing > 0 && !unknown.is_empty()) {
        Standing::Beyond
    } else if missing == ours.len() {
        Standing::None
    } else if missing > 0 {
        Standing::Behind
    } else {
        Standing::Usable
    };
    Schema { missing, unknown: unknown.len(), standing }
}

/// The migration that a program has to know to work beside the one of this number and text.
pub fn needs(version: i64, sql: &str) -> i64 {
    let told = sql.lines().find_map(|line| line.strip_prefix(NEEDS));
    told.map_or(version, |told| {
        told.trim().parse().expect("a migration names the one it needs by its number")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(applied: &[(i64, Option<i64>)]) -> Standing {
        let applied: Vec<Applied> =
            applied.iter().map(|(version, needs)| Applied { version: *version, needs: *needs }).collect();
        compare(&[1, 2, 3], &applied).standing
    }

    #[test]
    fn a_program_works_with_a_newer_schema_that_needs_no_more_than_it_knows() {
        let ours = [(1, None), (2, Some(2)), (3, Some(3))];
        let with = |newer: &[(i64, Option<i64>)]| standing(&[&ours[..], newer].concat());
        assert_eq!(with(&[]), Standing::Usable);
        assert_eq!(with(&[(4, Some(3)), (5, Some(1))]), Standing::Usable);
        assert_eq!(with(&[(4, Some(3)), (5, Some(4))]), Standing::Beyond, "it contracts what 4 replaced");
        assert_eq!(with(&[(4, None)]), Standing::Beyond, "nobody said that it suits older programs");
        assert_eq!(with(&[(UNFINISHED, None)]), Standing::Unfinished);
        assert_eq!(standing(&[]), Standing::None);
        assert_eq!(standing(&[(1, None)]), Standing::Behind);
        assert_eq!(
            standing(&[(1, None), (4, Some(1))]),
            Standing::Beyond,
            "it cannot be told which comes first"
        );
    }

    #[test]
    fn a_migration_says_whom_it_leaves_a_way_to_work() {
        assert_eq!(needs(7, "-- Why.\n-- needs 3\nALTER TABLE t ADD COLUMN a TEXT;"), 3);
        assert_eq!(needs(7, "-- It needs nothing.\nDROP TABLE t;"), 7);
    }
}
