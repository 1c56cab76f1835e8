//! Whose a file is that a rule may cover: a person's, or one that Docket itself wrote, which is never synced.

use super::copy::Source;
use super::look::Present;
use super::{Sync, look_at};
use crate::database::{self, Connection};
use crate::fastio::{FileKey, NodeId};
use crate::job::verdict::{database_verdict, fastio_verdict};
use crate::own::seal::Page;
use crate::own::{self, Whose};
use crate::queue::Verdict;
use crate::result::name::{Pattern, alike};

impl Sync {
    /// Whose the file is: what we wrote ourselves belongs to no rule. One that is called as a result is read where no record tells.
    pub(super) async fn whose(&self, key: &FileKey, present: &Present) -> Result<Whose, Verdict> {
        let (whose, is_by_us) = self.on_record(key, present).await?;
        let is_result = |pattern: &Pattern| pattern.may_have_named(&present.name);
        if whose != Whose::Theirs || !(is_by_us || self.results.iter().any(is_result)) {
            return Ok(whose);
        }
        let Source { version, size, .. } = &present.source;
        let page = Page {
            profile: &key.profile,
            node: &key.node,
            version: version.as_ref(),
            name: &present.name,
            size: Some(*size),
            is_by_us,
        };
        let looked = self.seal.proves((&self.fastio, &self.database), &page, self.clock.now()).await;
        let is_ours = looked.map_err(|error| fastio_verdict(&error))??;
        Ok(if is_ours { Whose::Ours } else { Whose::Theirs })
    }

    /// Whose it is by our records, and whether its maker wrote what they know to be ours in its place.
    async fn on_record(&self, key: &FileKey, present: &Present) -> Result<(Whose, bool), Verdict> {
        let (key, present, now) = (key.clone(), present.clone(), self.clock.now());
        let recognised = self.database.read(move |c| {
            let root = NodeId::root();
            let seen = own::Seen {
                profile: &key.profile,
                folder: present.ancestors.first().unwrap_or(&root),
                name: &present.name,
                node: &key.node,
                version: present.source.version.as_ref(),
                content: present
                    .source
                    .hash
                    .as_ref()
                    .map(|hash| own::Content { hash, size: present.source.size }),
            };
            let whose = own::recognise(c, &seen, now)?;
            let agent = present.agent.as_deref().filter(|_| whose == Whose::Theirs);
            let known = match agent {
                Some(_) => own::store::by_node(c, &key.profile, &key.node)?,
                None => None,
            };
            Ok((whose, known.is_some_and(|own| own.is_by(agent))))
        });
        recognised.await.map_err(|error| database_verdict(&error))
    }

    /// A file of ours that was gone may be restored from the trash, and what we wrote may come to where a result was: what is shown
    /// there is looked at.
    pub(super) async fn is_there(&self, key: &FileKey, present: &Present) -> Result<(), database::Error> {
        let (key, now) = (key.clone(), self.clock.now());
        let folder = present.ancestors.first().cloned().unwrap_or_else(NodeId::root);
        let names = alike(&present.name);
        let find = move |tx: &mut Connection| {
            let all = match own::store::find_again(tx, &key.profile, &key.node)? {
                Some(of) => vec![of],
                None => own::store::look_at_results(tx, (&key.profile, &key.node), (&folder, &names))?,
            };
            all.into_iter().try_for_each(|of| look_at(tx, of, now))
        };
        self.database.write(find).await
    }
}
