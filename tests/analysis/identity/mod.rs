//! Identity across systems: suggestions measured on noisy names, the map commands, links, crosswalks that change or split.

mod commands;
mod crosswalks;
mod measured;
mod noise;
