//! `shortfall map`: what exports and identities mean, where no source and no crosswalk says so.

mod draft;

use super::{Context, Exit, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a first mapping file from the header and a sample of rows of an export that no source knows.
    Draft(draft::Arguments),
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Draft(arguments) => draft::run(context, arguments),
    }
}
