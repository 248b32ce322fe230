-- An INSERT looks its parent up by key; that the key has no index is information.
-- expect: info
-- name: AddItem :exec
INSERT INTO order_items VALUES (9000001, 1, 1, 1, 1);
