//! Views: what people see of the stream in a terminal.
//!
//! `config.rs` says what was asked for. The streaming view (`stream.rs`) is a handler that writes
//! lines; `top.rs` is one that shows a table of accounts (`census.rs`); `tui/` is looked at with
//! keys. They share how a sender is named and coloured (`badge.rs`), how records are ordered
//! (`window.rs`, `reorder.rs`) and chosen (`filters.rs`, `context.rs`), and what a line looks like
//! (`line.rs`, `moment.rs`, `traceback.rs`, `style.rs`). Nothing that a sender wrote reaches a
//! terminal but by `styled.rs`.

pub mod config;
pub mod stream;
pub mod top;
pub mod tui;
pub mod census;
pub mod output;
pub mod template;
pub mod reorder;
mod window;
pub mod filters;
pub mod context;
pub mod badge;
pub mod line;
pub mod moment;
mod traceback;
mod wrap;
pub mod aside;
pub mod teller;
pub mod styled;
pub mod style;
pub mod weight;

use std::io;
use std::sync::Arc;

use crate::handler::{Handler, Opener};
use crate::pipeline::Events;
use aside::Aside;
use config::{Config, Mode};

/// What the view is called among the handlers.
pub const NAME: &str = "terminal";

/// Makes the handler of a view on standard output. What the program has to say while it has the
/// terminal goes `aside`.
pub fn open(config: Config, events: Events, aside: Aside) -> Opener {
    Box::new(move |_| {
        if config.mode == Mode::Interactive {
            return Ok(Box::new(tui::Interactive::open(&config, events, &aside)?));
        }
        let size: Option<top::Size> = match config.is_terminal {
            true => Some(|| crossterm::terminal::size().ok()),
            false => None,
        };
        let (out, err) = (Box::new(io::stdout()), Box::new(io::stderr()));
        Ok(match config.mode {
            Mode::Top(by) => Box::new(top::Top::new(by, config, size, out)) as Box<dyn Handler>,
            Mode::Stream | Mode::Interactive => {
                let done: stream::Done = Arc::new(move || events.end());
                Box::new(stream::Stream::new(config, done, out, err))
            }
        })
    })
}

/// Stands for a view that is open already and goes on.
pub fn kept() -> Opener {
    Box::new(|_| anyhow::bail!("the terminal view cannot be opened twice"))
}
