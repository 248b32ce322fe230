-- The key itself: one partition is read.
-- name: EventsOfMonth :one
SELECT count(*) FROM events WHERE happened_at >= '2024-02-01 00:00:00+00' AND happened_at < '2024-03-01 00:00:00+00';
