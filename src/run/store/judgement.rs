//! What a person says of a run's answer, as it stands with the run.

use super::super::row::RunId;
use crate::database::{Connection, Error, Row, params, statements};
use crate::result::judgement::{Judgement, Said};

/// What was said, and when.
pub(super) fn said(row: &Row<'_>) -> Result<Option<(Said, i64)>, Error> {
    let said = row.get::<Option<String>>("verdict")?.as_deref().and_then(Said::parse);
    Ok(said.zip(row.get::<Option<i64>>("verdict_at")?))
}

/// All of it.
pub(super) fn of(row: &Row<'_>) -> Result<Option<Judgement>, Error> {
    let Some((said, at)) = said(row)? else { return Ok(None) };
    Ok(Some(Judgement { said, by: row.get("verdict_by")?, note: row.get("verdict_note")?, at }))
}

/// Writes down what a person says of the run's answer, in place of what was said before. False where it has none.
pub fn judge(connection: &mut Connection, id: RunId, judgement: &Judgement) -> Result<bool, Error> {
    let Judgement { said, by, note, at } = judgement;
    Ok(connection.run(JUDGE, params![id.0, said.as_str(), by, note, at])? == 1)
}

/// Takes back what was said. False where nothing was.
pub fn withdraw_judgement(connection: &mut Connection, id: RunId, now: i64) -> Result<bool, Error> {
    Ok(connection.run(TAKE_BACK, params![id.0, now])? == 1)
}

statements! {
    JUDGE = "
        UPDATE run SET verdict = $2, verdict_by = $3, verdict_note = $4, verdict_at = $5, updated_at = $5
        WHERE run_id = $1 AND state = 'ended' AND outcome IN ('completed', 'needs_review') AND result IS NOT NULL";
    TAKE_BACK = "
        UPDATE run SET verdict = NULL, verdict_by = NULL, verdict_note = NULL, verdict_at = NULL, updated_at = $2
        WHERE run_id = $1 AND verdict IS NOT NULL";
}
