//! `docket sources`: folders of Google Drive, OneDrive, Dropbox and Box that Fastio keeps one of its own in line with. What comes
//! from there is synced like any other file. Fastio does the work and keeps the accounts; nothing of it stands in our tables.

mod words;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::{Failure, Outcome};
use super::table::{Column, Cut, Table, plain, state};
use super::text::Paint;
use super::{Form, SettingsArgs, output};
use crate::fastio::{Client, Cloud, CloudSource, Error, Identity, NewSource, NodeId, Profile, SourceChange};
use crate::operate::act;
use words::{About, words};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The workspace's id; without this that of the rules
    #[arg(long, global = true, value_name = "ID")]
    workspace: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the accounts that are connected, and their sources
    List(Form),
    /// Begin to connect an account, and print the link that a person has to open
    Connect {
        /// google_drive, onedrive_business, dropbox or box
        #[arg(value_name = "PROVIDER")]
        provider: String,
        /// OneDrive's: work or personal
        #[arg(long, value_name = "TYPE", value_parser = ["work", "personal"])]
        account_type: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Have Fastio keep a folder in line with one at a provider
    Add {
        /// The account's id, as `docket sources list` shows it
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// The folder there, such as /Contracts
        #[arg(value_name = "PATH")]
        path: String,
        /// The drive's id; OneDrive needs one, and without it they are listed
        #[arg(long, value_name = "ID")]
        drive: Option<String>,
        /// The folder at Fastio, which cannot be changed later; without this Fastio makes one in Imports
        #[arg(long, value_name = "PATH")]
        folder: Option<String>,
        /// Carry changes at Fastio back to the provider
        #[arg(long)]
        write_back: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Stop a source until it is resumed
    Pause(One),
    /// Let a source go on
    Resume(One),
    /// Have a source looked through now
    Refresh(One),
    /// List the passes over a source
    Jobs(One),
}

#[derive(Debug, Args)]
struct One {
    /// The source's id, as `docket sources list` shows it
    #[arg(value_name = "SOURCE")]
    source: String,
    #[command(flatten)]
    form: Form,
}

/// A workspace's sources, and who asks.
struct Asking {
    client: Client,
    profile: Profile,
    cloud: Cloud,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let config = settings.load()?;
    let rules = config.rules().unwrap_or_default();
    let profile = act::workspace(arguments.workspace.as_deref(), &rules).map_err(Failure::Usage)?;
    let key = config.secrets.fastio_api_key().map_err(Failure::usage)?;
    let client = Client::new(&config.fastio.base_url, key).map_err(Failure::from_error)?;
    let asking = Asking { cloud: client.cloud(&profile.id), client, profile };
    match arguments.command {
        Command::List(form) => asking.list(form).await,
        Command::Connect { provider, account_type, form } => {
            asking.connect(&provider, account_type.as_deref(), form).await
        }
        Command::Add { account, path, drive, folder, write_back, form } => {
            let folder = asking.folder(folder.as_deref()).await?;
            let new = NewSource {
                identity: &account,
                remote_path: &path,
                drive: drive.as_deref(),
                folder: folder.as_ref(),
                writes_back: write_back,
            };
            asking.add(&new, form).await
        }
        Command::Pause(one) => asking.change(&one, (SourceChange::Pause, "paused")).await,
        Command::Resume(one) => asking.change(&one, (SourceChange::Resume, "resumed")).await,
        Command::Refresh(one) => asking.change(&one, (SourceChange::Refresh, "being looked through")).await,
        Command::Jobs(one) => asking.jobs(&one).await,
    }
}

/// Fastio's own words for what went wrong.
fn failed(error: Error) -> Failure {
    Failure::Failed(error.to_string())
}

impl Asking {
    async fn list(&self, form: Form) -> Result<Outcome, Failure> {
        let accounts = self.cloud.identities().await.map_err(failed)?;
        let sources = self.cloud.sources().await.map_err(failed)?;
        if form.json {
            output::json(&[json!({"accounts": accounts, "sources": sources})])?;
            return Ok(Outcome::Done);
        }
        if accounts.is_empty() {
            output::line("No account is connected. `docket sources connect PROVIDER` begins with one.")?;
            return Ok(Outcome::Done);
        }
        output::lines(accounts_table(&accounts).render(Paint::stdout()))?;
        match sources.is_empty() {
            true => output::line("No source yet: `docket sources add ACCOUNT PATH` adds one.")?,
            false => output::lines(sources_table(&sources).render(Paint::stdout()))?,
        }
        Ok(Outcome::Done)
    }

    async fn connect(&self, provider: &str, kind: Option<&str>, form: Form) -> Result<Outcome, Failure> {
        let account = self.cloud.connect(provider, kind).await.map_err(failed)?;
        if form.json {
            output::json(&[account])?;
            return Ok(Outcome::Done);
        }
        match &account.authorize_url {
            Some(link) => {
                output::line("A person who has the account opens this link within half an hour and agrees:")?;
                output::line(format!("  {link}"))?;
                output::line(format!("Then: docket sources add {} PATH", account.id))?;
            }
            None => {
                output::line(format!("Account {} {}.", account.id, words(About::Account, &account.status)))?
            }
        }
        Ok(Outcome::Done)
    }

    async fn add(&self, new: &NewSource<'_>, form: Form) -> Result<Outcome, Failure> {
        let known = self.cloud.sources().await.map_err(failed)?;
        let is_same = |source: &CloudSource| {
            source.identity.as_deref() == Some(new.identity) && source.remote_path == new.remote_path
        };
        let account = self.cloud.identities().await.map_err(failed)?;
        let account = account.into_iter().find(|account| account.id == new.identity).ok_or_else(|| {
            Failure::Failed(format!(
                "no account has the id {}: `docket sources list` shows them",
                new.identity
            ))
        })?;
        if new.drive.is_none() && account.provider == "onedrive_business" {
            return self.which_drive(&account).await;
        }
        // Asked for twice, as after an answer that was lost, it is one source.
        let source = match known.into_iter().find(is_same) {
            Some(there) => there,
            None => self.cloud.create(new).await.map_err(failed)?,
        };
        if form.json {
            output::json(&[source])?;
            return Ok(Outcome::Done);
        }
        output::line(format!(
            "Source {}: {} {}. What it brings is synced like any other file.",
            source.id,
            source.remote_path,
            words(About::Source, &source.status)
        ))?;
        Ok(Outcome::Done)
    }

    /// OneDrive has several drives, and one has to be named.
    async fn which_drive(&self, account: &Identity) -> Result<Outcome, Failure> {
        let mut found = self.cloud.drives(&account.id).await.map_err(failed)?;
        if found.state == "never_refreshed" {
            self.cloud.refresh_drives(&account.id).await.map_err(failed)?;
            found = self.cloud.drives(&account.id).await.map_err(failed)?;
        }
        let drives: Vec<String> =
            found.drives.iter().map(|(id, name)| format!("--drive {id} ({name})")).collect();
        let said = words(About::Drives, &found.state);
        Err(Failure::Usage(match drives.is_empty() {
            true => format!("OneDrive needs --drive: {said}"),
            false => format!("OneDrive needs --drive: {said}: {}", drives.join(", ")),
        }))
    }

    async fn change(&self, one: &One, (change, done): (SourceChange, &str)) -> Result<Outcome, Failure> {
        self.cloud.change(&one.source, change).await.map_err(failed)?;
        match one.form.json {
            true => output::json(&[json!({"source": one.source, "done": done})])?,
            false => output::line(format!("Source {} is {done}.", one.source))?,
        }
        Ok(Outcome::Done)
    }

    async fn jobs(&self, one: &One) -> Result<Outcome, Failure> {
        let jobs = self.cloud.jobs(&one.source).await.map_err(failed)?;
        if one.form.json {
            output::json(&jobs)?;
        } else if jobs.is_empty() {
            output::line("Fastio has not looked through it yet.")?;
        } else {
            let mut table = Table::new(&[
                Column::new("pass", Cut::Middle).widest(20),
                Column::new("state", Cut::Nowhere),
                Column::new("begun", Cut::Nowhere),
                Column::new("what it says", Cut::Below),
            ]);
            for job in jobs {
                let (begun, says) = (job.created.unwrap_or_default(), job.message.unwrap_or_default());
                table.row([plain(job.id), state(job.status), plain(begun), plain(says)]);
            }
            output::lines(table.render(Paint::stdout()))?;
        }
        Ok(Outcome::Done)
    }

    /// The folder at a path of the workspace.
    async fn folder(&self, path: Option<&str>) -> Result<Option<NodeId>, Failure> {
        let Some(path) = path else { return Ok(None) };
        match self.client.folder_at(&self.profile, path).await.map_err(failed)? {
            Some(folder) => Ok(Some(folder)),
            None => Err(Failure::Failed(format!("there is no folder {path} in {}", self.profile))),
        }
    }
}

fn accounts_table(accounts: &[Identity]) -> Table {
    let mut table = Table::new(&[
        Column::new("account", Cut::Nowhere),
        Column::new("provider", Cut::Nowhere),
        Column::new("state", Cut::Nowhere),
        Column::new("which means", Cut::Below),
    ]);
    for account in accounts {
        let said = words(About::Account, &account.status);
        table.row([
            plain(account.id.as_str()),
            plain(account.provider.as_str()),
            state(account.status.as_str()),
            plain(said),
        ]);
    }
    table
}

fn sources_table(sources: &[CloudSource]) -> Table {
    let mut table = Table::new(&[
        Column::new("source", Cut::Nowhere),
        Column::new("state", Cut::Nowhere),
        Column::new("folder there", Cut::Start).widest(40),
        Column::new("which means", Cut::Below),
    ]);
    for source in sources {
        let said = words(About::Source, &source.status);
        let said = source.message.as_ref().map_or(said.to_owned(), |message| format!("{said} ({message})"));
        table.row([
            plain(source.id.as_str()),
            state(source.status.as_str()),
            plain(source.remote_path.as_str()),
            plain(said),
        ]);
    }
    table
}
