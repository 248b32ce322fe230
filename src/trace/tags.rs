//! What an application writes into a comment of its statements: sqlcommenter's `key='url-encoded'`, marginalia's `key:value`,
//! and the marks between which nothing is judged.

/// What the comments of a statement say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// What tells one request, job or trace from all others.
    pub unit: Option<String>,
    /// Where in the application it is from: a controller's action, a route, a file with its line.
    pub site: Option<String>,
    /// `pgproof:off` and `pgproof:on`.
    pub mark: Option<Mark>,
    /// `name: ListPosts :many`, as sqlc writes it.
    pub name: Option<String>,
}

/// Where judging ends, and where it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// What comes is a fixture.
    Off,
    /// What comes is the application's again.
    On,
}

/// Keys of what is one of its kind: a request, a job, a trace.
const UNITS: [&str; 6] = [
    "traceparent",
    "trace_id",
    "request_id",
    "requestid",
    "job_id",
    "test",
];

impl Tags {
    /// Reads one more comment, without its marks.
    pub fn read(&mut self, comment: &str) {
        let comment = comment.trim();
        match comment {
            "pgproof:off" => self.mark = Some(Mark::Off),
            "pgproof:on" => self.mark = Some(Mark::On),
            _ => {}
        }
        if let Some(name) = comment.strip_prefix("name:") {
            self.name = name.split_whitespace().next().map(str::to_owned);
            return;
        }
        let mut parts = Parts::default();
        for (key, value) in pairs(comment) {
            if self.unit.is_none() && UNITS.contains(&key) {
                // Of `00-trace-span-01` the span changes with each statement.
                let whole = || value.clone();
                let unit = match key {
                    "traceparent" => value.split('-').nth(1).map_or_else(whole, str::to_owned),
                    _ => whole(),
                };
                self.unit = Some(unit);
            }
            parts.take(key, value);
        }
        if let Some(site) = parts.site() {
            self.site.get_or_insert(site);
        }
    }
}

/// What makes a place.
#[derive(Debug, Default)]
struct Parts {
    controller: Option<String>,
    action: Option<String>,
    route: Option<String>,
    job: Option<String>,
    file: Option<String>,
    line: Option<String>,
}

impl Parts {
    fn take(&mut self, key: &str, value: String) {
        let place = match key {
            "controller" | "controller_with_namespace" => &mut self.controller,
            "action" => &mut self.action,
            "route" | "path" => &mut self.route,
            "job" | "job_class" => &mut self.job,
            "file" | "filepath" | "code.filepath" | "source_location" | "line" | "caller"
                if !value.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                &mut self.file
            }
            "line" | "lineno" | "code.lineno" => &mut self.line,
            _ => return,
        };
        place.get_or_insert(value);
    }

    fn site(self) -> Option<String> {
        if let Some(file) = self.file {
            return Some(match self.line {
                Some(line) => format!("{file}:{line}"),
                None => file,
            });
        }
        match (self.controller, self.action) {
            (Some(controller), Some(action)) => Some(format!("{controller}#{action}")),
            (one, other) => self.route.or(self.job).or(one).or(other),
        }
    }
}

/// The pairs of a comment in either form; none where it is prose.
fn pairs(comment: &str) -> impl Iterator<Item = (&str, String)> {
    let is_key = |key: &&str| {
        !key.is_empty()
            && key.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'%')
            })
    };
    comment.split(',').filter_map(move |pair| {
        let pair = pair.trim();
        if let Some((key, value)) = pair.split_once("='") {
            let value = value.strip_suffix('\'').unwrap_or(value);
            return is_key(&key).then(|| (key, decoded(value)));
        }
        let (key, value) = pair.split_once(':')?;
        let fits = is_key(&key) && !value.is_empty() && !value.starts_with([' ', ':']);
        fits.then(|| (key, value.to_owned()))
    })
}

/// `%20`, and `\'` of sqlcommenter.
fn decoded(value: &str) -> String {
    percent_encoding::percent_decode_str(&value.replace("\\'", "'"))
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(comment: &str) -> Tags {
        let mut tags = Tags::default();
        tags.read(comment);
        tags
    }

    fn tags(unit: Option<&str>, site: Option<&str>) -> Tags {
        Tags {
            unit: unit.map(str::to_owned),
            site: site.map(str::to_owned),
            ..Tags::default()
        }
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(
            read(
                "action='index',controller='posts',framework='rails',traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'"
            ),
            tags(
                Some("0af7651916cd43dd8448eb211c80319c"),
                Some("posts#index")
            )
        );
        assert_eq!(
            read("route='%2Fposts%20all'"),
            tags(None, Some("/posts all"))
        );
        assert_eq!(
            read(
                "application:Blog,controller:posts,action:index,request_id:f00,line:app/models/post.rb:12"
            ),
            tags(Some("f00"), Some("app/models/post.rb:12"))
        );
        assert_eq!(
            read("test='tests/posts.py::test_list'").unit.as_deref(),
            Some("tests/posts.py::test_list")
        );
        assert_eq!(
            read("name: ListPosts :many").name.as_deref(),
            Some("ListPosts")
        );
        assert_eq!(read(" pgproof:off ").mark, Some(Mark::Off));
    }

    #[test]
    fn prose_is_no_tag() {
        for comment in ["why: because, it is so", "a:: b", "", "hint: use index"] {
            assert_eq!(read(comment), Tags::default(), "{comment}");
        }
    }
}
