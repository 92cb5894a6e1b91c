//! Which handlers get a record: the tree of loggers, by Python's rules.
//!
//! A record is judged where its logger stands, as `Logger.handle` and `Logger.callHandlers` do
//! (docs.python.org/3/library/logging.html#logger-objects): by the level of the nearest logger
//! that has one, from its own up to the root, and by the filters of its own logger alone. It then
//! goes to the handlers of its logger and of every logger above it, up to the first that does not
//! propagate. There is no handler of last resort: what no handler wants is counted. Notices go to
//! every handler that some logger has. The next step is `lane.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use compact_str::CompactString;
use logbus_schemas::Level;

use crate::filter::Sieve;
use crate::item::{Batch, Item};
use crate::lane::Outlet;

/// Names whose way is remembered; a stream with more begins anew.
const MAX_ROUTES: usize = 10_000;
/// The set of all handlers that some logger has.
const ALL: usize = 0;

/// A logger as it is configured.
#[derive(Debug)]
pub struct Logger {
    /// Its level; none means that the logger above it decides.
    pub level: Option<Level>,
    /// Asked about records of this very logger. The sieve's own level is not used.
    pub filters: Sieve,
    /// Its handlers, as places in the list that the dispatcher has.
    pub handlers: Vec<usize>,
    /// Whether the handlers of the loggers above it get its records, too.
    pub propagate: bool,
    /// Whether records of this very logger go nowhere.
    pub disabled: bool,
}

impl Default for Logger {
    fn default() -> Self {
        Self {
            level: None,
            filters: Sieve::default(),
            handlers: Vec::new(),
            propagate: true,
            disabled: false,
        }
    }
}

/// What went to no handler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// Records that their logger's level or filters kept back.
    pub filtered: u64,
    /// Records whose loggers have no handler.
    pub unhandled: u64,
}

/// The tree of loggers with the ways into the lanes.
pub struct Dispatcher {
    /// The root is at 0.
    loggers: Vec<Logger>,
    places: HashMap<CompactString, usize>,
    outlets: Vec<Outlet>,
    routes: HashMap<CompactString, Route>,
    /// The way of the record before, which is the next one's, most often.
    latest: Option<(CompactString, Route)>,
    /// Sets of handlers: how often each is in it. One that a logger shares with a logger above it
    /// gets a record twice, as in Python.
    sets: Vec<Vec<usize>>,
    undelivered: Undelivered,
    /// Handlers are waited for until that is set.
    patience: Option<Arc<AtomicBool>>,
}

/// What the tree says of a logger's name.
#[derive(Debug, Clone, Copy)]
struct Route {
    level: Level,
    /// The logger of just this name, when it is configured and has something to say.
    own: Option<usize>,
    /// Who gets its records: a place among the sets.
    set: usize,
}

impl Dispatcher {
    /// A tree with this root and these loggers, over these handlers.
    pub fn new(root: Logger, loggers: Vec<(String, Logger)>, outlets: Vec<Outlet>) -> Self {
        let mut attached = vec![0; outlets.len()];
        let all = loggers.iter().map(|(_, logger)| logger).chain([&root]);
        for handler in all.flat_map(|logger| &logger.handlers) {
            attached[*handler] = 1;
        }
        let mut tree = Self {
            loggers: vec![root],
            places: HashMap::new(),
            sets: vec![attached],
            outlets,
            routes: HashMap::new(),
            latest: None,
            undelivered: Undelivered::default(),
            patience: None,
        };
        for (name, logger) in loggers {
            tree.places.insert(name.into(), tree.loggers.len());
            tree.loggers.push(logger);
        }
        tree
    }

    /// A tree of nothing but a root that gives everything to every handler.
    pub fn plain(outlets: Vec<Outlet>) -> Self {
        let root = Logger {
            handlers: (0..outlets.len()).collect(),
            ..Logger::default()
        };
        Self::new(root, Vec::new(), outlets)
    }

    /// From now on waits for handlers that have no room, until what is given is set; without it what
    /// they have no room for is skipped.
    pub fn set_patience(&mut self, until: Option<&Arc<AtomicBool>>) {
        self.patience = until.cloned();
    }

    /// Waits until every handler has taken everything, or that is set.
    pub fn wait_until_idle(&self, is_urgent: &AtomicBool) {
        for outlet in &self.outlets {
            outlet.wait_until_idle(is_urgent);
        }
    }

    /// Hands items to the handlers that should have them, and leaves the vector empty. Never waits but in
    /// patience. `now` is in ns since 1970-01-01 00:00 UTC.
    pub fn dispatch(&mut self, items: &mut Vec<Item>, now: u64) {
        let (mut routed, mut sets) = (Vec::with_capacity(items.len()), Vec::new());
        let mut notices = Vec::new();
        for mut item in items.drain(..) {
            let mut set = ALL;
            if let Item::Record(delivered) = &mut item {
                let route = self.route(delivered.record.name().unwrap_or_default());
                let logger = route.own.and_then(|place| self.loggers.get_mut(place));
                let is_wanted = delivered
                    .record
                    .level()
                    .is_none_or(|level| level >= route.level)
                    && logger.is_none_or(|logger| {
                        !logger.disabled && logger.filters.pass(delivered, now, &mut notices)
                    });
                for notice in notices.drain(..) {
                    routed.push(Item::Notice(notice));
                    sets.push(route.set);
                }
                if !is_wanted {
                    self.undelivered.filtered += 1;
                    continue;
                }
                if self.sets[route.set].iter().all(|times| *times == 0) {
                    self.undelivered.unhandled += 1;
                    continue;
                }
                set = route.set;
            }
            routed.push(item);
            sets.push(set);
        }
        self.hand_over(routed, &sets);
    }

    /// Says to every handler that everything up to this number has been dispatched; `false` where
    /// there is no handler.
    pub fn mark(&self, number: u64) -> bool {
        for outlet in &self.outlets {
            outlet.mark(number);
        }
        !self.outlets.is_empty()
    }

    /// Lets filters say what only time shows.
    pub fn tick(&mut self, now: u64) {
        let mut notices = Vec::new();
        for logger in &mut self.loggers {
            logger.filters.tick(now, &mut notices);
        }
        let items: Vec<Item> = notices.into_iter().map(Item::Notice).collect();
        self.hand_over(items, &[]);
    }

    /// Whether every handler has ended, because nobody reads what they write.
    pub fn has_ended(&self) -> bool {
        !self.outlets.is_empty() && self.outlets.iter().all(Outlet::has_ended)
    }

    /// What went to no handler so far.
    pub fn undelivered(&self) -> Undelivered {
        self.undelivered
    }

    /// Takes over the count of the tree before this one.
    pub fn succeed(&mut self, previous: &Dispatcher) {
        self.undelivered = previous.undelivered;
    }

    /// Offers each handler its part; an item without a set is for all.
    fn hand_over(&self, items: Vec<Item>, sets: &[usize]) {
        if items.is_empty() {
            return;
        }
        let whole: Batch = items.into();
        for (handler, outlet) in self.outlets.iter().enumerate() {
            let times = |at: usize| {
                let set = sets.get(at).copied().unwrap_or(ALL);
                self.sets[set][handler]
            };
            if (0..whole.len()).all(|at| times(at) == 1) {
                self.offer(outlet, &whole);
                continue;
            }
            let part = whole.iter().enumerate();
            let part: Batch = part
                .flat_map(|(at, item)| std::iter::repeat_n(item, times(at)).cloned())
                .collect();
            if !part.is_empty() {
                self.offer(outlet, &part);
            }
        }
    }

    fn offer(&self, outlet: &Outlet, batch: &Batch) {
        match &self.patience {
            Some(is_urgent) => outlet.offer_patiently(batch, is_urgent),
            None => outlet.offer(batch),
        }
    }

    fn route(&mut self, name: &str) -> Route {
        if let Some((latest, route)) = &self.latest
            && latest == name
        {
            return *route;
        }
        let route = match self.routes.get(name) {
            Some(route) => *route,
            None => self.new_route(name),
        };
        self.latest = Some((name.into(), route));
        route
    }

    fn new_route(&mut self, name: &str) -> Route {
        let route = self.find_route(name);
        if self.routes.len() >= MAX_ROUTES {
            self.routes.clear();
        }
        self.routes.insert(name.into(), route);
        route
    }

    fn find_route(&mut self, name: &str) -> Route {
        let (mut level, mut members) = (None, vec![0; self.outlets.len()]);
        let mut is_reached = true;
        for place in self.lineage(name) {
            let logger = &self.loggers[place];
            level = level.or(logger.level.filter(|level| *level != Level::NOTSET));
            if is_reached {
                for handler in &logger.handlers {
                    members[*handler] += 1;
                }
                is_reached = logger.propagate;
            }
        }
        let own = match name {
            "" | "root" => Some(0),
            name => self.places.get(name).copied(),
        };
        Route {
            level: level.unwrap_or(Level::NOTSET),
            own: own.filter(|place| {
                let logger = &self.loggers[*place];
                logger.disabled || !logger.filters.is_open()
            }),
            set: self.set_of(members),
        }
    }

    /// The configured loggers from a name upwards, the root last.
    fn lineage(&self, name: &str) -> Vec<usize> {
        let ends = name.rmatch_indices('.').map(|(at, _)| at);
        let names = std::iter::once(name.len())
            .chain(ends)
            .map(|end| &name[..end]);
        let places = names.filter_map(|name| self.places.get(name).copied());
        places.chain([0]).collect()
    }

    fn set_of(&mut self, members: Vec<usize>) -> usize {
        let known = self.sets.iter().position(|set| *set == members);
        known.unwrap_or_else(|| {
            self.sets.push(members);
            self.sets.len() - 1
        })
    }
}

#[cfg(test)]
mod tests;
