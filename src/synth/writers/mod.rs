//! One writer per export, in the shape and with the quirks of the real one. Writers only read the world; which of them run is
//! the landscape's choice.
//!
//! | writer | writes |
//! |---|---|
//! | `connectwise`, `autotask`, `halo` | the PSA of one landscape each; `snapshots` says when somebody saves what it shows |
//! | `partner_center`, `rated_usage`, `pax8`, `focus` | vendors; `licences` says what seats cost before any format |
//! | `mapped` | vendors that no source knows, each with its mapping file |
//! | `stripe` | invoices |
//! | `mapping`, `lifecycle` | what the MSP keeps itself, in every landscape |

mod autotask;
mod connectwise;
mod focus;
mod halo;
mod json;
mod licences;
mod lifecycle;
mod mapped;
mod mapping;
mod partner_center;
mod pax8;
mod rated_usage;
mod snapshots;
mod stripe;

use super::error::SynthError;
use super::landscape::Msp;
use super::output::Output;
use super::world::World;

/// Writes every export of the landscape.
pub(crate) fn write(world: &World, msp: Msp, output: &mut Output) -> Result<(), SynthError> {
    match msp {
        Msp::ConnectWise => {
            connectwise::write(world, output)?;
            partner_center::write(world, msp, output)?;
            pax8::write(world, msp, output)?;
            stripe::write(world, output)?;
        }
        Msp::Autotask => {
            autotask::write(world, output)?;
            mapped::distributor::write(world, msp, output)?;
            mapped::backup_vendor::write(world, msp, output)?;
        }
        Msp::HaloPsa => {
            halo::write(world, output)?;
            partner_center::write(world, msp, output)?;
            rated_usage::write(world, msp, output)?;
        }
    }
    focus::write(world, msp, output)?;
    mapping::write(world, msp, output)?;
    lifecycle::write(world, msp, output)
}
