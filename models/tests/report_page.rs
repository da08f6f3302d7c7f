//! The page of `evaluate --report` in a real browser: `browser/report.mjs` looks at it, wide and narrow.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{Folder, ok, text};

/// What set-up fetched; where it is missing the test ends, with the reason printed, and fails in CI.
fn tool(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if path.is_none() {
        let reason =
            format!("{variable} names no file: run `make setup-tests`, and the tests by `make test`");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        println!("skipped: {reason}");
    }
    path
}

struct Browser {
    chromium: PathBuf,
    modules: PathBuf,
}

impl Browser {
    fn find() -> Option<Self> {
        Some(Self { chromium: tool("ENDCAP_CHROMIUM")?, modules: tool("ENDCAP_NODE_MODULES")? })
    }

    /// Looks at a page; `args` may name a folder for pictures.
    fn look(&self, page: &Path, args: &[&Path]) -> Output {
        Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/report.mjs"))
            .arg(page)
            .args(args)
            .env("ENDCAP_CHROMIUM", &self.chromium)
            .env("ENDCAP_NODE_MODULES", &self.modules)
            .output()
            .unwrap()
    }

    /// A page with these faults is refused, each for what it is.
    #[track_caller]
    fn refuses(&self, folder: &Folder, page: &str, faults: &[[&str; 3]]) {
        let mut broken = page.to_owned();
        for [from, to, _] in faults {
            assert!(broken.contains(from), "{from} is not on the page");
            broken = broken.replace(from, to);
        }
        let output = self.look(&folder.file("broken.html", broken), &[]);
        let found = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{found}");
        for [_, fault, words] in faults {
            assert!(found.contains(words), "{fault}: `{words}` is not in: {found}");
        }
    }
}

/// Visits through two rounds of 24 items at once, from any two places, a few of them with a click elsewhere: as many as an
/// encoder asks for, and what comes next stands two clicks back, so that a ranker has something to add.
fn clicks(sessions: std::ops::Range<usize>) -> String {
    let mut log = "SessionId\tItemId\tTime\n".to_owned();
    for session in sessions {
        let (one, other) = (session * 179 / 24 % 24, session * 179 % 24);
        let clicks = 6 + session % 4 * 2;
        for at in 0..clicks {
            let item = match at % 2 {
                _ if session % 5 == 0 && at == session % clicks => 100 + session % 7,
                0 => (one + at / 2) % 24,
                _ => 24 + (other + at / 2) % 24,
            };
            writeln!(log, "{session}\ti{item}\t{}", 1_000_000_000 + session * 100 + at).unwrap();
        }
    }
    log
}

/// A report with all that a page can have, of a folder with a long name, which stands on it.
fn report(folder: &Folder) -> PathBuf {
    let data = folder.path(&"longname".repeat(15));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("train.txt"), clicks(0..3_200)).unwrap();
    std::fs::write(data.join("test.txt"), clicks(3_200..3_260)).unwrap();
    let page = folder.path("report");
    let encoder = ["--encoder", "--encoder-dim", "16", "--encoder-layers", "1", "--encoder-epochs", "3"];
    let asked = ["evaluate", "--protocol", "serenade"];
    let files = ["--data", text(&data), "--report", text(&page)];
    ok(&[&asked[..], &encoder, &files].concat());
    page.join("index.html")
}

#[test]
fn a_report_reads_well_in_a_browser() {
    let Some(browser) = Browser::find() else { return };
    let folder = Folder::new();
    let file = report(&folder);
    let page = std::fs::read_to_string(&file).unwrap();
    for part in [
        "By method",
        "Recall by length of the list",
        "By what is known of the shopper",
        "How sure it is: personal",
        "How the encoder learned",
    ] {
        assert_eq!(page.matches(&format!("<h3>{part}</h3>")).count(), 1, "{part}");
    }

    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-page");
    std::fs::create_dir_all(&pictures).unwrap();
    let output = browser.look(&file, &[&pictures]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    print!("{}", String::from_utf8_lossy(&output.stdout));
    for width in [1280, 390] {
        let picture = pictures.join(format!("{width}.png"));
        assert!(std::fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
        println!("{}", picture.display());
    }

    // It would see these on a page like this one; two pages, as some faults hide others.
    browser.refuses(
        &folder,
        &page,
        &[
            ["</h1>", "</h1><div style='width:2000px'>wide</div>", "1280 pixels: page: 20"],
            ["div.wide{overflow-x:auto}", "", "<table> reaches beyond the window"],
            ["tbody>", "template>", "no rows"],
            ["stroke-width=\"2\"", "stroke-width=\"0\"", "nothing is drawn"],
        ],
    );
    browser.refuses(
        &folder,
        &page,
        &[
            ["</body>", "<img src='other.png'></body>", "asks for file:///"],
            ["</body>", "<script>throw Error('broken')</script></body>", "script: broken"],
            ["svg{display:block}", "svg{width:300px;height:auto}", "labels of"],
            ["position:sticky;", "", "names of rows scroll away"],
        ],
    );
}
