//! Identity across systems: suggestions measured on noisy names, the map commands, links, crosswalks that change or split.

mod measured;
mod noise;
