-- name: GetCouponByCode :one
-- @calls 15/s
SELECT id, kind, value, starts_at, ends_at
FROM coupons
WHERE lower(code) = lower($1);

-- name: DeleteCoupon :exec
-- @param $1: typical
-- @budget time=10ms
DELETE FROM coupons
WHERE id = $1;

-- name: ListOrdersWithCoupon :many
SELECT id, order_number, total_cents, discount_cents, placed_at
FROM orders
WHERE coupon_id = $1
ORDER BY id;

-- name: ListApprovedReviews :many
-- @calls 200/s
SELECT r.id, r.rating, r.title, r.body, r.helpful_count, r.created_at, c.full_name
FROM reviews r
JOIN customers c ON c.id = r.customer_id
WHERE r.product_id = $1
  AND r.status = 'approved'
ORDER BY r.created_at DESC
LIMIT 10;

-- name: ListReviewsByCustomer :many
SELECT id, product_id, rating, title, status, created_at
FROM reviews
WHERE customer_id = $1
ORDER BY created_at DESC
LIMIT 50;

-- name: ListReviewsToModerate :many
-- @param max_rating: (SELECT NULL)
SELECT id, product_id, rating, title, body, created_at
FROM reviews
WHERE status = 'pending'
  AND (sqlc.narg(max_rating)::smallint IS NULL OR rating <= sqlc.narg(max_rating))
ORDER BY created_at
LIMIT 50;
