//! DuckDB, as somebody else's engine: a Python with the versions of `tests/oracle/requirements.txt`, in a virtual environment below the
//! target folder. The first test that asks makes it (Python 3 with venv, and PyPI once); where that is not possible, the test fails and
//! says what is missing. `SHORTFALL_PYTHON` names a Python that has them already.

use super::support::repository;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| match std::env::var_os("SHORTFALL_PYTHON") {
    Some(python) => Ok(python.into()),
    None => environment(),
});

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|e| format!("{shown}: {e}"))?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if output.status.success() { Ok(()) } else { Err(format!("{shown}:\n{said}")) }
}

/// The environment for these requirements; other requirements make another one.
fn environment() -> Result<PathBuf, String> {
    let requirements = repository("tests/oracle/requirements.txt");
    let text = std::fs::read_to_string(&requirements).map_err(|e| e.to_string())?;
    let digest = format!("{:x}", Sha256::digest(text));
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (folder, done) = (tmp.join(format!("python-{}", &digest[..12])), format!("python-{}.done", &digest[..12]));
    // One process makes it, others wait.
    let lock = File::create(tmp.join("python.lock")).and_then(|file| file.lock().map(|()| file)).map_err(|e| e.to_string())?;
    let python = folder.join("bin/python");
    if !tmp.join(&done).exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
        File::create(tmp.join(&done)).map_err(|e| e.to_string())?;
    }
    drop(lock);
    Ok(python)
}

/// Runs a script of `tests/oracle`.
pub fn oracle(script: &str, arguments: &[&Path]) -> Output {
    let mut command = oracle_command(script);
    command.args(arguments).output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// A script of `tests/oracle`, ready to run.
pub fn oracle_command(script: &str) -> Command {
    let python = PYTHON.as_ref().unwrap_or_else(|error| {
        panic!(
            "this test asks other people's software, which could not be installed. It needs Python 3 with venv (Debian: `apt-get install python3-venv`) and \
             PyPI once; or set SHORTFALL_PYTHON to a Python that has tests/oracle/requirements.txt.\n{error}"
        )
    });
    let mut command = Command::new(python);
    command.arg(repository("tests/oracle").join(script));
    command
}
