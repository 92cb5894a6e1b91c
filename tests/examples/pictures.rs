//! Draws `docs/pictures`: what `logsub` shows of twenty senders, from a real run of some seconds.
//!
//! `cargo xtask pictures` builds the programs and runs this. A scene is a row in [`SCENES`]: how
//! `logsub` is called, and what is pressed meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a picture that cannot be made must fail"
)]

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logbus_publisher::{Config, Publisher, stamped};
use logbus_tests::picture::{Frame, Window, film, still};
use logbus_tests::{Terminal, free_port};

const ROWS: u16 = 30;
const COLS: u16 = 112;
const FRAME: Duration = Duration::from_millis(120);

/// What is played and drawn.
struct Scene {
    file: &'static str,
    title: &'static str,
    description: &'static str,
    args: &'static [&'static str],
    /// What is pressed, and how long it is looked at before.
    keys: &'static [(u64, &'static str)],
    /// How long it goes on behind that.
    rest: u64,
    is_film: bool,
}

const SCENES: &[Scene] = &[
    Scene {
        file: "stream.svg",
        title: "logsub",
        description: "Log records of twenty senders in one terminal, in time order: each sender \
                      has a colour, a traceback is one piece, a loss is a line in its place.",
        args: &[],
        keys: &[],
        rest: 6000,
        is_film: true,
    },
    Scene {
        file: "tui.svg",
        title: "logsub --tui",
        description: "The interactive view: records above, every field of one below, senders with \
                      rates and losses beside, a histogram by level on top.",
        args: &["--tui"],
        keys: &[(9000, "E"), (300, "<Enter>"), (300, "<PageDown>")],
        rest: 400,
        is_film: false,
    },
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [_, endpoint, program, seed] = &args[..] {
        return send(endpoint, program, seed.parse().unwrap());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    for scene in SCENES {
        let picture = play(scene);
        let path = folder.join(scene.file);
        std::fs::write(&path, picture).expect("docs/pictures can be written");
    }
}

fn play(scene: &Scene) -> String {
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let own = ["--bind", &endpoint, "--utc"];
    let terminal = Terminal::start("logsub", &[&own, scene.args].concat(), ROWS, COLS);
    terminal.wait_for("receiving at");
    let shop = Shop::open(&endpoint);
    let (begun, mut frames) = (Instant::now(), Vec::new());
    let mut look = |longest: u64| {
        let until = Instant::now() + Duration::from_millis(longest);
        while Instant::now() < until {
            std::thread::park_timeout(FRAME.min(until.saturating_duration_since(Instant::now())));
            frames.push(Frame {
                at: begun.elapsed(),
                screen: terminal.snapshot(),
            });
        }
    };
    for (before, keys) in scene.keys {
        look(*before);
        terminal.press(keys);
    }
    look(scene.rest);
    let window = Window {
        title: scene.title,
        description: scene.description,
    };
    let last = frames.last().expect("it was looked at");
    let picture = match scene.is_film {
        true => film(&window, &frames, last.at + Duration::from_secs(2)),
        false => still(&window, &last.screen),
    };
    shop.close();
    picture
}

/// Twenty processes of four programs that say what such programs say.
struct Shop {
    senders: Vec<Child>,
}

/// Programs with how many of each there are.
const PROGRAMS: &[(&str, usize)] = &[("shop", 8), ("jobs", 5), ("db-proxy", 4), ("mailer", 3)];

const SAYINGS: &[(&str, i64, &str, &[(&str, &str)])] = &[
    ("orders", 20, "order 8542 accepted", &[("user", "fred")]),
    (
        "auth",
        20,
        "login",
        &[("user", "sheila"), ("from", "10.0.0.7")],
    ),
    ("cache", 10, "miss for basket:311", &[]),
    ("orders", 20, "order 8543 accepted", &[("user", "ann")]),
    ("stock", 30, "stock is low: 3 left", &[("item", "teapot")]),
    ("pool", 10, "connection taken", &[("free", "7")]),
    (
        "orders",
        40,
        "order 8544 failed",
        &[("user", "fred"), ("status", "500")],
    ),
    (
        "smtp",
        20,
        "sent",
        &[("to", "ann@example.org"), ("ms", "31")],
    ),
    ("queue", 20, "12 jobs waiting", &[]),
    (
        "sql",
        30,
        "slow query",
        &[("ms", "1204"), ("table", "orders")],
    ),
];

const TRACEBACK: &str = "Traceback (most recent call last):\n  \
    File \"orders.py\", line 41, in take\n    price = rates[item]\nKeyError: 'teapot'";

impl Shop {
    fn open(endpoint: &str) -> Self {
        let mut senders = Vec::new();
        for (program, count) in PROGRAMS {
            for _ in 0..*count {
                let mut command = Command::new(std::env::current_exe().unwrap());
                let seed = senders.len().to_string();
                command
                    .args(["sender", endpoint, program, &seed])
                    .stdin(Stdio::piped());
                senders.push(command.spawn().expect("this program again"));
            }
        }
        Self { senders }
    }

    /// Each ends when its standard input does.
    fn close(self) {
        for mut sender in self.senders {
            drop(sender.stdin.take());
            sender.wait().expect("the senders end");
        }
    }
}

/// One of the twenty.
fn send(endpoint: &str, program: &str, seed: u64) {
    let mut config = Config::connect([endpoint.parse().unwrap()]);
    config.program = program.to_owned();
    config.queue_records = 40;
    let sender = Publisher::new(config).unwrap();
    let is_over = Arc::<AtomicBool>::default();
    let over = is_over.clone();
    std::thread::spawn(move || {
        let _all = std::io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
    });
    // The same at every run, and in no order that shows.
    let mut dice = seed + 7;
    let mut roll = |sides: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    while !is_over.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_millis(200 + roll(2800)));
        let (part, level, text, extras) = SAYINGS[roll(SAYINGS.len() as u64) as usize];
        let mut record = stamped(&format!("{program}.{part}"), level, text);
        for (key, value) in extras {
            record.set(*key, *value);
        }
        if level == 40 {
            record.set("exc_text", TRACEBACK);
        }
        sender.publish(&record);
        if seed == 3 && roll(3) == 0 {
            // More than its queue holds.
            for _ in 0..400 {
                sender.publish(&stamped("shop.cache", 10, "miss"));
            }
        }
    }
}
