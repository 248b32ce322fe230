-- name: A :exec
CREATE TABLE t (id int);
-- name: B :exec
SELECT * INTO copy FROM orders;
-- name: C :exec
TRUNCATE orders;
