//! A list and its authors by sqlx: one query for each row, or one for all of them.

use sqlx::{Connection, PgConnection};

const AUTHOR: &str = concat!(
    "SELECT name FROM authors WHERE id = $1 /*file='",
    file!(),
    "',lineno='",
    line!(),
    "'*/"
);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), sqlx::Error> {
    let url = std::env::var("DATABASE_URL").expect("the database is in DATABASE_URL");
    let mut db = PgConnection::connect(&url).await?;
    let list = "SELECT id, author_id FROM posts ORDER BY title, id LIMIT $1";
    let posts: Vec<(i64, i64)> = sqlx::query_as(list).bind(15_i64).fetch_all(&mut db).await?;
    let authors: Vec<i64> = posts.iter().map(|(_, author)| *author).collect();
    if std::env::args().nth(1).as_deref() == Some("loop") {
        for author in authors {
            let _: String = sqlx::query_scalar(AUTHOR).bind(author).fetch_one(&mut db).await?;
        }
    } else {
        let all = "SELECT id, name FROM authors WHERE id = ANY ($1)";
        let _: Vec<(i64, String)> = sqlx::query_as(all).bind(authors).fetch_all(&mut db).await?;
    }
    db.close().await
}
