//! Opens what a plan says: handlers, their lanes, and the tree of loggers over them.
//!
//! Everything that can fail is done first, so that a plan is installed whole or not at all. A
//! handler that is the same as before keeps its lane, with what waits in it and what its filters
//! remember.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use crossbeam_channel::{Sender, bounded};

use crate::config::node::Node;
use crate::config::plan::{HandlerPlan, Plan};
use crate::dispatch::Dispatcher;
use crate::filter::Sieve;
use crate::handler::{Handler, Say, Setting};
use crate::lane::{Config, Lanes, Outlet, Overflow};

/// A handler that has a lane, and what it was made from.
#[derive(Debug, Clone)]
pub struct Installed {
    name: String,
    recipe: Node,
}

/// A plan that was installed.
pub struct Installation {
    /// The tree of loggers.
    pub dispatcher: Dispatcher,
    /// What has a lane now.
    pub installed: Vec<Installed>,
    /// The ways into the lanes.
    pub outlets: Vec<Outlet>,
}

/// Dropped, it lets the lanes begin that took another's place.
pub type Gate = Sender<Infallible>;

/// A handler that was opened, with what its lane needs.
struct Opened {
    handler: Box<dyn Handler>,
    sieve: Sieve,
    room: usize,
    overflow: Overflow,
    /// The handler that it hands records on to, and where the way to that is expected.
    target: Option<(String, Arc<OnceLock<Outlet>>)>,
}

/// Installs a plan where `present` is installed. The new lanes begin when the gate is dropped.
pub fn install(
    plan: Plan,
    verbose: bool,
    present: &[Installed],
    lanes: &mut Lanes,
    say: &Say,
) -> anyhow::Result<(Installation, Gate)> {
    let mut opened = Vec::with_capacity(plan.handlers.len());
    let mut installed = Vec::with_capacity(plan.handlers.len());
    for handler in plan.handlers {
        let now = Installed {
            name: handler.name.clone(),
            recipe: handler.recipe.clone(),
        };
        let is_kept = present
            .iter()
            .any(|before| before.name == now.name && before.recipe == now.recipe);
        opened.push(match is_kept {
            true => None,
            false => Some(open(handler, verbose, say)?),
        });
        installed.push(now);
    }
    let (gate, after) = bounded(0);
    let (mut outlets, mut expecting) = (Vec::with_capacity(opened.len()), Vec::new());
    for (opened, handler) in opened.into_iter().zip(&installed) {
        let kept = || {
            lanes
                .outlet(&handler.name)
                .with_context(|| format!("{}: its lane is gone", handler.name))
        };
        let Some(opened) = opened else {
            outlets.push(kept()?);
            continue;
        };
        let config = Config {
            handler: opened.handler,
            sieve: opened.sieve,
            room: opened.room,
            overflow: opened.overflow,
        };
        let outlet = lanes
            .start(config, Some(after.clone()))
            .context("cannot start a thread")?;
        outlets.push(outlet);
        expecting.extend(opened.target);
    }
    for (target, way) in expecting {
        let place = installed.iter().position(|handler| handler.name == target);
        if let Some(place) = place {
            // Set once: it was made for this handler alone.
            drop(way.set(outlets[place].clone()));
        }
    }
    let installation = Installation {
        dispatcher: Dispatcher::new(plan.root, plan.loggers, outlets.clone()),
        installed,
        outlets,
    };
    Ok((installation, gate))
}

fn open(plan: HandlerPlan, verbose: bool, say: &Say) -> anyhow::Result<Opened> {
    let way = Arc::<OnceLock<Outlet>>::default();
    let setting = Setting {
        name: plan.name.clone(),
        formatter: plan.formatter,
        verbose,
        say: say.clone(),
        target: way.clone(),
    };
    Ok(Opened {
        handler: (plan.open)(setting).with_context(|| plan.name)?,
        sieve: plan.sieve,
        room: plan.room,
        overflow: plan.overflow,
        target: plan.target.map(|target| (target, way)),
    })
}
