//! Which records are shown: filters that come and go while the view goes on.
//!
//! Filters of one kind are alternatives, kinds restrict one another: a record is shown when it fits
//! one of the includes (if there are any), one of the senders, one of the queries, for every field
//! one of its values, and none of the excludes. A field's other comparisons (`!=`, `<` and the
//! like) must all hold. Each is a query (`query/`), compiled once.

use std::fmt;

use logbus_schemas::Level;

use crate::item::Delivered;
use crate::query::{Query, QueryError};

/// What a filter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular expression that the text fits.
    Include,
    /// A regular expression that the text does not fit.
    Exclude,
    /// A comparison with a field.
    Field,
    /// A pattern for senders' names.
    Sender,
    /// A query.
    Query,
}

impl Kind {
    /// The flag that makes such a filter.
    pub fn flag(self) -> &'static str {
        match self {
            Kind::Include => "-i",
            Kind::Exclude => "-e",
            Kind::Field => "-f",
            Kind::Sender => "--sender",
            Kind::Query => "-q",
        }
    }
}

/// One filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    kind: Kind,
    text: String,
    query: Query,
    /// Whether it counts.
    pub is_on: bool,
}

impl Filter {
    /// Compiles a filter from what was written.
    pub fn new(kind: Kind, text: &str) -> Result<Self, QueryError> {
        let query = match kind {
            Kind::Include | Kind::Exclude => Query::matching_text(text)?,
            Kind::Field => Query::field(text)?,
            Kind::Sender => Query::sender(text),
            Kind::Query => Query::parse(text)?,
        };
        Ok(Self {
            kind,
            text: text.to_owned(),
            query,
            is_on: true,
        })
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a record fits what was written.
    pub fn fits(&self, delivered: &Delivered) -> bool {
        self.query.matches(delivered)
    }

    /// The filters that this one is an alternative to have the same answer; none has none.
    fn alternatives(&self) -> Option<(Kind, &str)> {
        if self.kind != Kind::Field {
            return Some((self.kind, ""));
        }
        let at = self.text.find(['?', '!', '~', '=', '<', '>'])?;
        let (key, how) = self.text.split_at(at);
        let how = how.trim_start_matches('?');
        (how.starts_with('=') || how.starts_with("~=")).then_some((self.kind, key.trim()))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.flag(), self.text)
    }
}

/// Every filter of a view.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    list: Vec<Filter>,
    /// The list as it is asked: of each group one must fit, or none of those that exclude.
    groups: Vec<Group>,
    is_off: bool,
    least: Option<Level>,
}

#[derive(Debug, Clone)]
struct Group {
    excludes: bool,
    members: Vec<usize>,
}

impl Filters {
    /// These filters.
    pub fn new(list: Vec<Filter>) -> Self {
        let mut filters = Self {
            list,
            ..Self::default()
        };
        filters.regroup();
        filters
    }

    /// Whether a record is shown.
    pub fn admit(&self, delivered: &Delivered) -> bool {
        if let (Some(least), Some(level)) = (self.least, delivered.record.level())
            && level < least
        {
            return false;
        }
        self.is_off
            || self.groups.iter().all(|group| {
                let fits = |at: &usize| self.list[*at].fits(delivered);
                group.members.iter().any(fits) != group.excludes
            })
    }

    /// Whether every record is shown.
    pub fn is_open(&self) -> bool {
        self.least.is_none() && (self.is_off || self.groups.is_empty())
    }

    /// The filters, in the order in which they were made.
    pub fn list(&self) -> &[Filter] {
        &self.list
    }

    /// Changes the list.
    pub fn change(&mut self, how: impl FnOnce(&mut Vec<Filter>)) {
        how(&mut self.list);
        self.regroup();
    }

    /// The least level that is shown, if any is set.
    pub fn least(&self) -> Option<Level> {
        self.least
    }

    /// Sets the least level that is shown.
    pub fn set_least(&mut self, least: Option<Level>) {
        self.least = least;
    }

    /// Whether the list is asked at all.
    pub fn is_on(&self) -> bool {
        !self.is_off
    }

    /// Switches the whole list on or off.
    pub fn switch(&mut self, is_on: bool) {
        self.is_off = !is_on;
    }

    fn regroup(&mut self) {
        let mut groups: Vec<(Option<(Kind, &str)>, Group)> = Vec::new();
        for (at, filter) in self
            .list
            .iter()
            .enumerate()
            .filter(|(_, filter)| filter.is_on)
        {
            let key = filter.alternatives();
            match groups
                .iter_mut()
                .find(|(known, _)| key.is_some() && *known == key)
            {
                Some((_, group)) => group.members.push(at),
                None => {
                    let excludes = filter.kind == Kind::Exclude;
                    groups.push((
                        key,
                        Group {
                            excludes,
                            members: vec![at],
                        },
                    ));
                }
            }
        }
        self.groups = groups.into_iter().map(|(_, group)| group).collect();
    }
}

#[cfg(test)]
mod tests {
    use logbus_schemas::{Record, Topic};

    use super::*;

    fn delivered(message: &str, status: i64, user: &str) -> Delivered {
        let mut record = Record::new("shop.db", 20, message);
        record.set("status", status);
        record.set("user", user);
        Delivered {
            record,
            topic: Topic::for_name("shop.db"),
            origin: None,
            sender: None,
            received: 1,
            offset: None,
        }
    }

    fn filters(list: &[(Kind, &str)]) -> Filters {
        Filters::new(
            list.iter()
                .map(|(kind, text)| Filter::new(*kind, text).unwrap())
                .collect(),
        )
    }

    fn check(list: &[(Kind, &str)], expected: &[&str]) {
        let records = [
            delivered("timeout of db", 500, "fred"),
            delivered("timeout of cache", 200, "sheila"),
            delivered("login", 200, "fred"),
            delivered("logout", 404, "fred"),
        ];
        let filters = filters(list);
        let shown = records.iter().filter(|record| filters.admit(record));
        let shown: Vec<_> = shown
            .map(|shown| shown.record.get_message().into_owned())
            .collect();
        assert_eq!(shown, expected, "{list:?}");
    }

    #[test]
    fn one_kind_is_an_alternative_and_another_restricts() {
        use Kind::{Exclude, Field, Include, Query};
        let (db, cache, login, logout) = ("timeout of db", "timeout of cache", "login", "logout");
        check(&[], &[db, cache, login, logout]);
        check(&[(Include, "db"), (Include, "login")], &[db, login]);
        check(
            &[(Include, "log"), (Exclude, "out"), (Exclude, "x")],
            &[login],
        );
        check(&[(Include, "timeout"), (Field, "status=200")], &[cache]);
        check(
            &[(Field, "status=200"), (Field, "status=404")],
            &[cache, login, logout],
        );
        check(&[(Field, "status=200"), (Field, "user=fred")], &[login]);
        check(&[(Field, "status>=300"), (Field, "status<500")], &[logout]);
        check(&[(Field, "status!=200"), (Field, "status!=404")], &[db]);
        check(
            &[(Query, "status == 500"), (Query, "status == 404")],
            &[db, logout],
        );
    }

    #[test]
    fn filters_come_and_go() {
        let mut filters = filters(&[(Kind::Include, "db"), (Kind::Exclude, "db")]);
        let record = delivered("db", 1, "fred");
        assert!(!filters.admit(&record));
        filters.change(|list| list[1].is_on = false);
        assert!(filters.admit(&record));
        filters.set_least(Some(Level::ERROR));
        assert!(!filters.admit(&record));
        filters.set_least(None);
        filters.change(|list| list[1].is_on = true);
        filters.switch(false);
        assert!(filters.admit(&record) && filters.is_open());
        filters.switch(true);
        filters.change(Vec::clear);
        assert!(filters.admit(&record) && filters.is_open());
    }
}
