-- name: AppendEvent :exec
-- @param occurred_at: '2025-12-15 12:00+00'
-- @param kind: 'page_view'
-- @param customer_id: (SELECT min(id) FROM customers)
-- @param session_id: '00000000-0000-4000-8000-000000000000'
-- @param payload: '{"path": "/"}'
-- @calls 800/s
INSERT INTO events (occurred_at, kind, customer_id, session_id, payload)
VALUES (@occurred_at, @kind, sqlc.narg(customer_id), sqlc.narg(session_id), @payload);

-- name: ListEventsOfCustomer :many
-- @param from: '2025-11-15'
-- @param to: '2025-12-15'
SELECT occurred_at, kind, payload
FROM events
WHERE customer_id = @customer_id
  AND occurred_at >= @from
  AND occurred_at < @to
ORDER BY occurred_at DESC
LIMIT 100;

-- name: CountEventsOfKind :one
-- @param from: '2025-11-28'
-- @param to: '2025-11-29'
SELECT count(*)
FROM events
WHERE kind = @kind
  AND occurred_at >= @from
  AND occurred_at < @to;

-- name: CountEventsInMonth :many
-- @param month: '2025-11-01'
-- @budget time=50ms buffers=1000
SELECT kind, count(*) AS events
FROM events
WHERE date_trunc('month', occurred_at) = @month::timestamptz
GROUP BY kind;
