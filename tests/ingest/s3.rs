//! Commands that work on an S3 server of the test.

#[path = "../stores/s3.rs"]
mod server;

use super::support::{Ran, command};
pub use server::{Faults, SECRET, Server};
use std::process::Command;

impl Server {
    /// The command, with the settings that reach this server.
    pub fn command_as(&self, secret: &str, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        self.known_to(&mut command, secret);
        command
    }

    /// Runs it to its end. The secret is never shown.
    #[track_caller]
    pub fn run_as(&self, secret: &str, arguments: &[&str]) -> Ran {
        ran(self.command_as(secret, arguments), secret)
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_as(SECRET, arguments)
    }
}

#[track_caller]
pub fn ran(mut command: Command, secret: &str) -> Ran {
    let output = command.output().expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let ran = Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    assert!((0..=4).contains(&ran.code), "{ran}");
    assert!(!ran.out.contains(secret) && !ran.err.contains(secret) && !ran.err.contains("panicked"), "{ran}");
    ran
}
