//! Where a file of ours may stand: under the name that is wanted, or beside what has it. Only a person's file keeps a name to itself;
//! a result gives it up to the file that has the name now, and so does a copy of a result.

use std::sync::Arc;

use super::super::settings::Definition;
use super::write::{Output, Publisher};
use crate::database::Connection;
use crate::fastio::{Node, NodeId, Profile};
use crate::job::verdict::fastio_verdict;
use crate::own::store::{self as own, OwnFile};
use crate::own::{Content, ResultOf};
use crate::queue::Verdict;
use crate::result::name::{MOST_NUMBERS, Pattern, numbered, unnumbered};

/// What stands where something is to be written.
pub(super) enum Spot {
    /// Nothing has this name.
    Free(String),
    /// The file itself does.
    Here(String),
    /// A file of ours that does not belong there any more.
    OfAnother(OwnFile),
    /// What we wrote, and is on record for nobody: a copy of a result, or a table whose record is lost.
    Nobodys(Node),
}

/// The folder that a file is in.
pub(super) fn parent(node: &Node) -> NodeId {
    node.parent.clone().unwrap_or_else(NodeId::root)
}

impl Publisher {
    /// The name that is wanted, or the first of `… (2)`, `… (3)` that can be had. `itself` is the file that is to come there.
    pub(super) async fn spot(&self, output: &Output<'_>, itself: Option<&NodeId>) -> Result<Spot, Verdict> {
        for number in 1..=MOST_NUMBERS {
            let name = numbered(output.name, number);
            let found = self.fastio.child(output.profile, output.folder, &name).await;
            let Some(found) = found.map_err(|error| fastio_verdict(&error))? else {
                if number > 1 {
                    tracing::info!(name, wanted = output.name, "the name is taken; a result goes beside it");
                }
                return Ok(Spot::Free(name));
            };
            if itself == Some(&found.id) {
                return Ok(Spot::Here(name));
            }
            let spot = match output.of {
                Some(of) => self.yielding((output.owner, of), found).await?,
                None => self.unrecorded(output.profile, found).await?.map(Spot::Nobodys),
            };
            if let Some(spot) = spot {
                return Ok(spot);
            }
        }
        Err(Verdict::Dead { reason: format!("{} and {MOST_NUMBERS} names like it are taken", output.name) })
    }

    /// How `found` gives its place up to the result of another, if it is as we wrote it and does not belong where it stands.
    async fn yielding(
        &self,
        (owner, result): (&str, &ResultOf),
        found: Node,
    ) -> Result<Option<Spot>, Verdict> {
        let (profile, node) = (result.key.profile.clone(), found.id.clone());
        let known = self.database.read(move |connection| own::by_node(connection, &profile, &node)).await;
        let Some(other) = known? else {
            return Ok(self.copied(&result.key.profile, found).await?.map(Spot::Nobodys));
        };
        let is_as_written = !other.writing && other.version == found.version;
        let Some(of) = other.of.clone().filter(|_| is_as_written && other.owner != owner) else {
            return Ok(None);
        };
        Ok(if self.belongs(&of, &found).await? { None } else { Some(Spot::OfAnother(other)) })
    }

    /// Whether something that we wrote, and that is to stand elsewhere or nowhere, has this name, or one beside it where a person's file
    /// has it.
    pub(super) async fn is_filled(
        &self,
        whose: (&str, &ResultOf),
        (folder, name): (&NodeId, &str),
    ) -> Result<bool, Verdict> {
        for number in 1..=MOST_NUMBERS {
            let found = self.fastio.child(&whose.1.key.profile, folder, &numbered(name, number)).await;
            let Some(found) = found.map_err(|error| fastio_verdict(&error))? else { break };
            if self.yielding(whose, found).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether what has the name of a result that is gone was there before that was written, or is ours: then it came into its place, as
    /// from the trash. Whoever takes a result away and puts something of theirs there makes that afterwards.
    pub(super) async fn gave_way(&self, profile: &Profile, known: &OwnFile) -> Result<bool, Verdict> {
        let found = self.fastio.child(profile, &known.folder, &known.name).await;
        let found = found.map_err(|error| fastio_verdict(&error))?;
        let Some(found) = found.filter(|found| known.node.as_ref() != Some(&found.id)) else {
            return Ok(false);
        };
        if found.created_at.is_some_and(|created_at| created_at < known.since) {
            return Ok(true);
        }
        let (of, node) = (profile.clone(), found.id.clone());
        let other = self.database.read(move |connection| own::by_node(connection, &of, &node)).await?;
        match other {
            Some(other) => Ok(other.owner != known.owner && other.version == found.version),
            None => Ok(self.copied(profile, found).await?.is_some()),
        }
    }

    /// A node as it is now; none when it is in the trash, or gone.
    pub(super) async fn there(&self, profile: &Profile, id: &NodeId) -> Result<Option<Node>, Verdict> {
        match self.fastio.node(profile, id).await {
            Ok(node) => Ok(Some(node).filter(|node| !node.trashed)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// What stands there, if it is a copy of what we wrote.
    async fn copied(&self, profile: &Profile, found: Node) -> Result<Option<Node>, Verdict> {
        // A list may not say what is in a file.
        let Some(found) = self.there(profile, &found.id).await? else { return Ok(None) };
        let content = found.hash.clone().zip(found.size);
        let is_written = move |connection: &mut Connection| {
            let content = content.as_ref().map(|(hash, size)| Content { hash, size: *size });
            own::is_written(connection, content)
        };
        let is_written = self.database.read(is_written).await?;
        let is_ours = is_written || self.proves(profile, (&found, false)).await?;
        Ok(is_ours.then_some(found))
    }

    /// A table that we wrote, by what Fastio tells of its agent, and of which there is no record, as after a failover that lost it. Whoever
    /// edits it is another.
    async fn unrecorded(&self, profile: &Profile, found: Node) -> Result<Option<Node>, Verdict> {
        // A list may not say who made it.
        let Some(found) = self.there(profile, &found.id).await? else { return Ok(None) };
        let Some(agent) = found.agent.clone() else { return Ok(None) };
        let (of, node) = (profile.clone(), found.id.clone());
        let is_unrecorded = move |connection: &mut Connection| {
            Ok(own::by_node(connection, &of, &node)?.is_none() && own::is_our_agent(connection, &agent)?)
        };
        Ok(self.database.read(is_unrecorded).await?.then_some(found))
    }

    /// Whether the result of a file is to stand where `found` stands.
    async fn belongs(&self, of: &ResultOf, found: &Node) -> Result<bool, Verdict> {
        let Some(pattern) = self.pattern(&of.rule) else { return Ok(true) };
        let Some(source) = self.there(&of.key.profile, &of.key.node).await? else { return Ok(false) };
        let name = pattern.name_for(&source.name);
        let is_so_called = name == found.name || unnumbered(&found.name).as_deref() == Some(&name);
        Ok(parent(&source) == parent(found) && is_so_called)
    }

    /// How a rule's results are called; none when it is not in the settings any more.
    fn pattern(&self, rule: &str) -> Option<&Pattern> {
        let is_it = |definition: &&Arc<Definition>| definition.rule.name == rule;
        self.definitions.iter().find(is_it)?.write_back.as_ref()
    }
}
