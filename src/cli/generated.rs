//! `docket completions` and `docket man`: what a shell and a reader of manuals want, made from the command line as it is.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::failure::{Failure, Outcome};
use super::{Cli, output};

#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The folder that the pages are written to; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn completions(arguments: &Completions) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "docket", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Done)
}

pub fn man(arguments: &Man) -> Result<Outcome, Failure> {
    let folder = &arguments.folder;
    let failed = |error: io::Error| {
        Failure::Failed(format!("the pages cannot be written to {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    output::line(format!(
        "The pages are in {}: man -l {}",
        folder.display(),
        folder.join("docket.1").display()
    ))?;
    Ok(Outcome::Done)
}
