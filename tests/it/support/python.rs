//! A Python with the vendor's own client of the data API, made once and kept under `target/tmp`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Set to `1`, tests that need Python are left out, each with a line on stderr. CI never sets it.
const LEAVE_OUT: &str = "BELLWETHER_TEST_WITHOUT_PYTHON";
/// The client as published. It declares more than its imports need (vectorbt, numba), which is left away.
const SDK: &str = "tmai-api==0.4.0";
const ITS_IMPORTS: [&str; 3] = ["pandas", "requests", "tqdm"];

/// The interpreter; `None` where these tests are left out on request.
pub(crate) fn with_sdk() -> Option<PathBuf> {
    if std::env::var(LEAVE_OUT).is_ok_and(|value| value == "1") {
        // Written to the stream itself: the test harness would keep back what is printed.
        super::say(&format!("LEFT OUT: a test of the vendor's Python client, because {LEAVE_OUT}=1"));
        return None;
    }
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-sdk");
    let (python, stamp) = (home.join("bin/python"), home.join("installed"));
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == SDK) && works(&python) {
        return Some(python);
    }
    carry_out(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
    let pip = || {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip
    };
    carry_out(pip().args(ITS_IMPORTS));
    carry_out(pip().args(["--no-deps", SDK]));
    std::fs::write(stamp, SDK).unwrap();
    Some(python)
}

fn works(python: &Path) -> bool {
    Command::new(python).args(["-c", "import tmai_api"]).output().is_ok_and(|said| said.status.success())
}

fn carry_out(command: &mut Command) {
    let said: Result<Output, _> = command.output();
    let problem = match said {
        Ok(said) if said.status.success() => return,
        Ok(said) => [said.stdout, said.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat(),
        Err(error) => error.to_string(),
    };
    panic!(
        "Python with venv, and PyPI, are needed: `apt-get install python3-venv`; or set {LEAVE_OUT}=1 to leave such tests out.\n\
         {command:?} failed: {problem}"
    );
}
