//! The parts that the statements of the listing are put together from.

/// Whether a copy is of what the file is now, as [`crate::sync::copy::Source::same_content`] decides it.
macro_rules! same_content {
    () => {
        "CASE WHEN f.hash IS NOT NULL AND c.hash IS NOT NULL
                   AND substr(f.hash, 1, instr(f.hash, ':')) = substr(c.hash, 1, instr(c.hash, ':'))
              THEN f.hash = c.hash AND f.size = c.size
              WHEN f.version IS NOT NULL AND c.version IS NOT NULL THEN f.version = c.version
              ELSE f.size = c.size AND f.modified_at IS NOT DISTINCT FROM c.modified_at END"
    };
}

/// Each file with its job. A file that a job is left for is behind; so is one of which OpenAI holds something else than it
/// should.
macro_rules! files {
    ($index:literal) => {
        concat!(
            "SELECT f.*, j.id AS job_id, j.state AS job_state, j.reason AS job_reason, j.needs AS job_needs,
                    j.created_at AS job_since, ",
            searchable!(),
            " AS searchable, ",
            same!(),
            " AS same,
                    CASE WHEN j.id IS NOT NULL THEN 'behind'
                         WHEN f.out_since IS NOT NULL
                              AND NOT EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id)
                         THEN 'out'
                         WHEN f.state = 'present' AND ",
            searchable!(),
            " AND ",
            same!(),
            "            THEN CASE WHEN ",
            unread!(),
            "               THEN 'unread' ELSE 'current' END
                         WHEN f.state <> 'present'
                              AND NOT EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id)
                         THEN f.state
                         ELSE 'behind' END AS standing
             FROM file AS f ",
            $index,
            " LEFT JOIN job AS j ON j.key = 'file:' || f.source_id"
        )
    };
}

macro_rules! searchable {
    () => {
        "EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id AND c.state = 'indexed')"
    };
}

macro_rules! unread {
    () => {
        "EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id AND c.reading IN ('little', 'nothing'))"
    };
}

macro_rules! same {
    () => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id
                                                  AND NOT (c.state = 'indexed' AND ",
            same_content!(),
            "))"
        )
    };
}

/// Those of the standing that is asked for, by what is cheap to know before what is not: $3 the standing, $4 whether the gone are too.
macro_rules! wanted {
    () => {
        "CASE WHEN CAST($3 AS TEXT) IS NULL THEN $4 OR state <> 'gone' OR standing <> 'gone'
              WHEN $3 IN ('skipped', 'gone') THEN state = $3 AND standing = $3
              ELSE standing = $3 END"
    };
}

/// $5 the rule, $6 and $7 the place.
macro_rules! meant {
    ($table:literal) => {
        concat!(
            "(CAST($5 AS TEXT) IS NULL OR instr(',' || rules || ',', ',' || $5 || ',') > 0)
             AND (CAST($6 AS TEXT) IS NULL OR path = $6 OR substr(path, 1, length($6) + 1) = $6 || '/'
                  OR EXISTS (SELECT 1 FROM json_each($7) WHERE ",
            $table,
            ".path GLOB value))"
        )
    };
}

/// What is between ($1, $2) and ($8, $9): behind the first and up to the last, by path, or by when files changed, the newest first.
macro_rules! between {
    (path) => {
        "(f.path, f.source_id) > ($1, $2) AND (f.path, f.source_id) <= ($8, $9)"
    };
    (modified_at) => {
        "f.modified_at IS NOT NULL AND (f.modified_at, f.source_id) < ($1, $2) AND (f.modified_at, f.source_id) >= ($8, $9)"
    };
}

macro_rules! order {
    (path, $table:literal) => {
        concat!($table, "path, ", $table, "source_id")
    };
    (modified_at, $table:literal) => {
        concat!($table, "modified_at DESC, ", $table, "source_id DESC")
    };
}

/// A part of a list by `$column`. `$which` are the files that the list is about, `$index` its index.
macro_rules! part {
    ($column:ident, $index:literal, $which:literal) => {
        concat!(
            "(",
            files!($index),
            " WHERE ",
            $which,
            " AND ",
            between!($column),
            ") AS listed WHERE ",
            wanted!(),
            " AND ",
            meant!("listed")
        )
    };
}

macro_rules! page {
    ($column:ident, $index:literal, $which:literal) => {
        concat!(
            "SELECT p.*, c.vector_store, c.state AS copy_state, c.since AS copy_since, c.version AS copy_version,
                    c.hash AS copy_hash, c.content_hash, c.file_id, c.filename, c.bytes, c.note, c.pages,
                    c.characters, c.reading
             FROM (SELECT * FROM ",
            part!($column, $index, $which),
            " ORDER BY ",
            order!($column, ""),
            " LIMIT $10) AS p
             LEFT JOIN copy AS c ON c.source_id = p.source_id AND coalesce(c.segment, 1) = 1
             ORDER BY ",
            order!($column, "p."),
            ", c.id"
        )
    };
}

macro_rules! count {
    ($column:ident, $index:literal, $which:literal) => {
        concat!(
            "SELECT count(*) FROM (SELECT 1 FROM ",
            part!($column, $index, $which),
            " LIMIT $10) AS found"
        )
    };
}

/// The same of files of any standing, by path. Its index holds all that is asked of a file that is not gone, so that a thousand are counted
/// without a look at their rows.
macro_rules! count_any {
    ($index:literal) => {
        concat!(
            "SELECT count(*) FROM (SELECT 1 FROM file AS f ",
            $index,
            " WHERE ",
            between!(path),
            " AND CAST($3 AS TEXT) IS NULL
             AND ($4 OR f.state <> 'gone' OR f.out_since IS NOT NULL
                   OR EXISTS (SELECT 1 FROM copy AS c WHERE c.source_id = f.source_id)
                   OR EXISTS (SELECT 1 FROM job AS j WHERE j.key = 'file:' || f.source_id))
             AND ",
            meant!("f"),
            " LIMIT $10) AS found"
        )
    };
}

/// The last file of a bite, if another one follows it.
macro_rules! bite {
    ($index:literal, $which:literal) => {
        concat!(
            "SELECT path, source_id FROM file AS f ",
            $index,
            " WHERE ",
            $which,
            " AND (path, source_id) > ($1, $2) AND path < $3 ORDER BY path, source_id LIMIT 1 OFFSET $4"
        )
    };
}

/// The same of a list by when files changed: behind ($1, $2), and at $3 or later.
macro_rules! changed_bite {
    ($index:literal) => {
        concat!(
            "SELECT modified_at, source_id FROM file AS f ",
            $index,
            " WHERE modified_at IS NOT NULL AND (modified_at, source_id) < ($1, $2) AND modified_at >= $3
              ORDER BY modified_at DESC, source_id DESC LIMIT 1 OFFSET $4"
        )
    };
}

/// What the ids in a table's column begin with: of each workspace and share the first one is looked up.
macro_rules! profiles {
    ($column:literal, $table:literal) => {
        concat!(
            "WITH RECURSIVE profile (begins) AS (
                 SELECT (SELECT rtrim(",
            $column,
            ", replace(",
            $column,
            ", ':', '')) FROM ",
            $table,
            "            WHERE ",
            $column,
            " > $1 AND ",
            $column,
            " < $2 ORDER BY ",
            $column,
            " LIMIT 1)
                 UNION
                 SELECT (SELECT rtrim(",
            $column,
            ", replace(",
            $column,
            ", ':', '')) FROM ",
            $table,
            "            WHERE ",
            $column,
            " > substr(begins, 1, length(begins) - 1) || ';' AND ",
            $column,
            " < $2
                         ORDER BY ",
            $column,
            " LIMIT 1)
                 FROM profile WHERE begins IS NOT NULL)
             SELECT begins FROM profile WHERE begins IS NOT NULL"
        )
    };
}

/// Jobs for files of which nothing else is known.
macro_rules! unseen {
    () => {
        "SELECT id AS job_id, key, state, reason, needs, created_at FROM job AS j
         WHERE NOT EXISTS (SELECT 1 FROM file WHERE source_id = substr(j.key, 6)) AND "
    };
}
