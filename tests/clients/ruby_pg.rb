# A list and its authors: one query for each row, or one for all of them.
require "pg"

db = PG.connect(ENV.fetch("DATABASE_URL"))
posts = db.exec_params("SELECT id, author_id FROM posts ORDER BY title, id LIMIT $1", [15])
authors = posts.map { |post| post["author_id"] }
if ARGV[0] == "loop"
  authors.each { |author| db.exec_params("SELECT name FROM authors WHERE id = $1", [author]) }
else
  db.exec_params("SELECT id, name FROM authors WHERE id = ANY ($1)", ["{#{authors.join(",")}}"])
end
db.close
