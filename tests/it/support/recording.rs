//! Recordings that tests make and read.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A shell script whose client writes its values into the text of a loop over rows, in one unit of work.
pub const LOOP_OVER_ROWS: &str = r#"
list="SELECT title, id FROM posts ORDER BY title, id LIMIT 12;"
{
    echo "BEGIN;"
    echo "$list"
    psql -At -F '|' -c "$list" | while IFS='|' read title id; do
        echo "SELECT author_id FROM posts WHERE title = '$title' AND 'nobody knows' <> title;"
    done
    echo "COMMIT;"
} > loop.sql
psql -q -o /dev/null -f loop.sql
"#;

/// What `run.recording` of a project holds; nobody but its owner may read the file.
pub fn text_of(project: &Path) -> String {
    let file = std::fs::File::open(project.join("run.recording")).unwrap();
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    text
}
