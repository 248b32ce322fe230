//! Names of queries over all files: which are there twice, and how they are told apart.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::Draft;
use crate::catalog::query::{SkipReason, Skipped};
use crate::source::SourceError;

/// A name twice in one file: the first is meant, the second is left out.
pub(super) fn repeated(drafts: &mut Vec<Draft<'_>>, skipped: &mut Vec<Skipped>) {
    let mut first: HashMap<(&Path, String), usize> = HashMap::new();
    let mut again = Vec::new();
    // Statements without a name in one line.
    let mut unnamed: HashSet<String> = HashSet::new();
    for draft in drafts.iter_mut().filter(|draft| draft.is_unnamed()) {
        if !unnamed.insert(draft.plain.clone()) {
            draft.plain = format!("{}:{}", draft.plain, draft.query.column);
            draft.query.name.clone_from(&draft.plain);
        }
    }
    for (index, draft) in drafts.iter().enumerate() {
        let key = (draft.source.path.as_path(), draft.plain.clone());
        if let Some(known) = first.get(&key) {
            again.push((index, second(draft, &drafts[*known])));
        } else {
            first.insert(key, index);
        }
    }
    drop(first);
    for (index, error) in again.into_iter().rev() {
        let draft = drafts.remove(index);
        skipped.push(Skipped {
            name: draft.plain,
            file: draft.query.file,
            line: draft.query.line,
            why: SkipReason::Mistake(error),
        });
    }
}

fn second(draft: &Draft<'_>, first: &Draft<'_>) -> SourceError {
    let place = format!(
        "{}:{}",
        first.source.path.display(),
        first.source.line_column(first.name_span.start).0
    );
    SourceError::new(
        draft.source,
        draft.name_span.clone(),
        format!("a second query {}", draft.plain),
    )
    .help(format!(
        "the first is at {place}; every query needs a name of its own"
    ))
}

/// A name in several files says also where it stands: `billing/ListOrders`. Within one folder it is told, for most tools
/// take a folder's queries as one package.
pub(super) fn qualify(
    drafts: &mut [Draft<'_>],
    packages: &BTreeMap<PathBuf, String>,
    warnings: &mut Vec<SourceError>,
) {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        by_name.entry(&draft.plain).or_default().push(index);
    }
    let mut names = Vec::new();
    for places in by_name.into_values().filter(|places| places.len() > 1) {
        let files: Vec<&Path> = places
            .iter()
            .map(|index| drafts[*index].source.path.as_path())
            .collect();
        if let Some(own) = different_packages(&files, packages) {
            names.extend(places.iter().copied().zip(own));
            continue;
        }
        let mut folders: HashMap<Option<&Path>, usize> = HashMap::new();
        for index in &places {
            let folder = drafts[*index].source.path.parent();
            match folders.get(&folder) {
                // A method's name is its class's own matter.
                Some(_) if !is_query_file(&drafts[*index].source.path) => {}
                Some(first) => warnings.push(second(&drafts[*index], &drafts[*first])),
                None => drop(folders.insert(folder, *index)),
            }
        }
        names.extend(places.iter().copied().zip(qualifiers(&files)));
    }
    for (index, qualifier) in names {
        let draft = &mut drafts[index];
        draft.query.name = format!("{qualifier}/{}", draft.plain);
    }
}

/// The packages of these files, where each has one of its own.
fn different_packages(
    files: &[&Path],
    packages: &BTreeMap<PathBuf, String>,
) -> Option<Vec<String>> {
    let own: Option<Vec<String>> = files
        .iter()
        .map(|file| packages.get(*file).cloned())
        .collect();
    own.filter(|own| own.iter().collect::<HashSet<_>>().len() == own.len())
}

fn is_query_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sql")
}

/// What tells files apart, shortest first: the folder in which their paths part, the file's name, the whole path.
fn qualifiers(files: &[&Path]) -> Vec<String> {
    let parts: Vec<Vec<String>> = files
        .iter()
        .map(|file| {
            let path = file.with_extension("");
            path.components()
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect()
        })
        .collect();
    let shared = |at: usize| {
        let first = parts[0].get(at);
        first.is_some() && parts.iter().all(|part| part.get(at) == first)
    };
    let parting = (0..).find(|at| !shared(*at)).unwrap_or(0);
    let folders: Option<Vec<String>> = parts
        .iter()
        // The last part is the file.
        .map(|part| {
            part.get(parting)
                .filter(|_| parting + 1 < part.len())
                .cloned()
        })
        .collect();
    let names: Option<Vec<String>> = parts.iter().map(|part| part.last().cloned()).collect();
    let paths = Some(parts.iter().map(|part| part.join("/")).collect());
    let different = |found: &Vec<String>| found.iter().collect::<HashSet<_>>().len() == found.len();
    let whole = || {
        files
            .iter()
            .map(|file| file.display().to_string())
            .collect()
    };
    [folders, names, paths]
        .into_iter()
        .flatten()
        .find(different)
        .unwrap_or_else(whole)
}
