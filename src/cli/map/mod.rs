//! `shortfall map`: what exports and identities mean, where no source and no crosswalk says so: crosswalks of customers and
//! services, and mapping files of exports; one file per subcommand.

mod bundles;
mod draft;
mod draft_file;
mod export;
mod import;
mod lake;
mod review;
mod suggest;
mod table;
mod unmapped;

pub(super) use unmapped::{UnmappedMoney, unmapped_money};

use super::{Context, Exit, Failure};
use clap::{Subcommand, ValueEnum};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Candidates for ids that nothing resolves, with score, trail and reason; dearest and most doubtful first.
    Suggest(suggest::Arguments),
    /// What is unmapped, with the money at stake, as crosswalk files whose keys are to be filled in; of an export that no source
    /// knows, a first mapping file from its header and a sample of its rows.
    Draft(draft::Arguments),
    /// The crosswalks in force as CSV.
    Export(export::Arguments),
    /// Check crosswalk files and land them.
    Import(import::Arguments),
}

/// Which crosswalk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Ids of customers.
    Customers,
    /// SKUs of services.
    Services,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Suggest(arguments) => suggest::run(context, arguments),
        Action::Draft(arguments) => draft::run(context, arguments),
        Action::Export(arguments) => export::run(context, arguments),
        Action::Import(arguments) => import::run(context, arguments),
    }
}
