-- Nothing is said about the key: all partitions may hold rows.
-- name: EventsOfKind :one
SELECT count(*) FROM events WHERE kind = 'kind 7';
