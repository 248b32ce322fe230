-- name: ListPaymentsOfOrder :many
-- @calls 20/s
SELECT id, provider, status, amount_cents, currency, created_at
FROM payments
WHERE order_id = $1
ORDER BY created_at;

-- name: GetPaymentByReference :one
-- @calls 25/s
SELECT id, order_id, status, amount_cents
FROM payments
WHERE provider = $1
  AND provider_reference = $2;

-- name: ListFailedPayments :many
SELECT id, order_id, amount_cents, currency, failure_message, created_at
FROM payments
WHERE provider = $1
  AND status = 'failed'
ORDER BY created_at DESC
LIMIT 100;

-- name: ListShipmentsOfOrder :many
-- @calls 30/s
SELECT id, carrier, tracking_number, status, shipped_at, delivered_at
FROM shipments
WHERE order_id = $1
ORDER BY shipped_at;

-- name: GetShipmentByTracking :one
-- Carriers post their updates with it.
-- @budget time=10ms buffers=100
-- @calls 15/s
SELECT id, order_id, status, shipped_at
FROM shipments
WHERE carrier = $1
  AND tracking_number = $2;

-- name: ListShipmentsFromWarehouse :many
SELECT id, order_id, carrier, tracking_number, status, shipped_at
FROM shipments
WHERE warehouse_id = $1
ORDER BY shipped_at DESC
LIMIT 100;

-- name: MarkShipmentDelivered :exec
-- @calls 10/s
UPDATE shipments
SET status = 'delivered', delivered_at = greatest(now(), shipped_at)
WHERE id = $1;
