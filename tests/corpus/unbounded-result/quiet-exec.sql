-- What is not sent to the client does not count.
-- name: Touch :exec
UPDATE customers SET status = status WHERE id <= 12000;
