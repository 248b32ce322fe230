//! How the terminal report looks: widths and colours. Colour never carries a meaning alone.

use std::fmt;

use anstyle::{AnsiColor, Style};

use crate::finding::{Finding, Severity};
use crate::report::summary::Standing;
use crate::visible::Address;

/// What the terminal can do and what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalStyle {
    /// Columns.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// All queries, notes in full, suppressed findings.
    pub verbose: bool,
    /// Where the docs are: rules are links to their pages there.
    pub docs: Option<Address>,
}

impl TerminalStyle {
    /// For files and pipes.
    pub const FILE: Self = Self {
        width: 100,
        color: false,
        verbose: false,
        docs: None,
    };
    /// Below this, lines are cut less well but never lost.
    const NARROWEST: usize = 40;
    /// Prose is not set wider than this: longer lines are hard to read.
    const WIDEST_PROSE: usize = 110;

    /// Columns of a page.
    #[must_use]
    pub fn columns(self) -> usize {
        self.width.max(Self::NARROWEST)
    }

    pub(super) fn prose(self) -> usize {
        self.columns().min(Self::WIDEST_PROSE)
    }

    pub(super) fn palette(self) -> Palette {
        Palette {
            color: self.color,
            docs: self.docs.filter(|_| self.color),
        }
    }
}

/// The colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    color: bool,
    docs: Option<Address>,
}

/// Text with a style around it.
pub(super) struct Painted<T> {
    text: T,
    style: Style,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}{}",
            self.style.render(),
            self.text,
            self.style.render_reset()
        )
    }
}

impl Palette {
    fn paint<T>(self, style: Style, text: T) -> Painted<T> {
        Painted {
            text,
            style: if self.color { style } else { Style::new() },
        }
    }

    pub(super) fn strong<T>(self, text: T) -> Painted<T> {
        self.paint(Style::new().bold(), text)
    }

    pub(super) fn quiet<T>(self, text: T) -> Painted<T> {
        self.paint(Style::new().dimmed(), text)
    }

    pub(super) fn good<T>(self, text: T) -> Painted<T> {
        self.paint(Style::new().fg_color(Some(AnsiColor::Green.into())), text)
    }

    pub(super) fn place<T>(self, text: T) -> Painted<T> {
        self.paint(Style::new().fg_color(Some(AnsiColor::Cyan.into())), text)
    }

    pub(super) fn severity<T>(self, severity: Severity, text: T) -> Painted<T> {
        let color = match severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Info => AnsiColor::Blue,
        };
        self.paint(Style::new().bold().fg_color(Some(color.into())), text)
    }

    /// `severity[rule]`, the rule as a link to its page.
    pub(super) fn label(self, found: &Finding) -> Painted<String> {
        let rule = found.rule.as_str();
        let rule = match self.docs {
            Some(docs) => docs.link(&format!("rules/{rule}.html"), rule),
            None => rule.to_owned(),
        };
        self.severity(found.severity, format!("{}[{rule}]", found.severity))
    }

    pub(super) fn standing<T>(self, standing: Standing, text: T) -> Painted<T> {
        let color = match standing {
            Standing::Error => AnsiColor::Red,
            Standing::Warning | Standing::NotProven | Standing::NotAudited => AnsiColor::Yellow,
            Standing::PlannedOnly => AnsiColor::Blue,
            Standing::Fine => AnsiColor::Green,
        };
        self.paint(Style::new().bold().fg_color(Some(color.into())), text)
    }
}
