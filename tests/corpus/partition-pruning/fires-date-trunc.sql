-- A function around the partition key.
-- expect: error Append
-- name: EventsOfMonth :one
SELECT count(*) FROM events WHERE date_trunc('month', happened_at) = '2024-02-01 00:00:00+00';
