//! What a person has to do after a failover that lost what Docket had written down: it cannot tell the File objects that it had made by then
//! from those of others, says so where two could be meant, and leaves them.

use docket_sandbox::judge::Sides;

use crate::fleet::Fleet;
use crate::stands::Stand;

/// Deletes the File objects that are in no vector store, and has dead jobs tried again. Answers how many objects there were.
pub async fn tidy(fleet: &Fleet) -> anyhow::Result<usize> {
    let sides = Sides::read(
        &fleet.stands.state(Stand::Fastio, 0).await?,
        &fleet.stands.state(Stand::Openai, 0).await?,
    );
    let ids: Vec<&str> = sides.orphans.iter().filter_map(|object| object.split(' ').next()).collect();
    for id in &ids {
        fleet.stands.delete_file(id).await?;
    }
    let (code, said) = fleet.docket(&["jobs", "retry", "--all"]).await?;
    anyhow::ensure!(code == 0, "docket jobs retry --all exits {code}: {said}");
    Ok(ids.len())
}
