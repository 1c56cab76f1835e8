//! A rule's table: what it is called, and how it is written.

use super::RunSettings;
use crate::result::name::{check_name, ending};
use crate::result::render::Form;

/// A table over all current results of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    pub name: String,
    pub form: Form,
}

impl Digest {
    pub(super) fn of(run: &RunSettings) -> Result<Option<Digest>, String> {
        let Some(name) = run.digest.clone() else {
            return match run.digest_format {
                Some(_) => {
                    Err("digest_format says how a table is written: name it, as in digest = \"overview.csv\""
                        .to_owned())
                }
                None => Ok(None),
            };
        };
        check_name(&name, &Form::ENDINGS).map_err(|why| format!("digest: {why}"))?;
        let ending = ending(&name);
        let form = run.digest_format.or_else(|| Form::by(&ending)).unwrap_or(Form::Comma);
        if form.ending() != ending {
            return Err(format!(
                "digest: `{name}` does not say how it is written: with this digest_format it must end in .{}",
                form.ending()
            ));
        }
        Ok(Some(Digest { name, form }))
    }
}
