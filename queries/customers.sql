-- name: GetCustomer :one
-- @calls 400/s
SELECT id, email, full_name, phone, status, loyalty_points, preferences, created_at
FROM customers
WHERE id = $1;

-- name: GetCustomerByEmail :one
-- @calls 60/s
SELECT id, email, full_name, status
FROM customers
WHERE lower(email) = lower($1);

-- name: FindCustomersByPhone :many
-- Callers are looked up while the phone rings.
-- @calls 2/s
SELECT id, full_name, email, phone
FROM customers
WHERE phone = $1
ORDER BY id
LIMIT 20;

-- name: SearchCustomers :many
-- The back office searches as somebody types.
-- @param term: 'smith'
-- @budget time=25ms buffers=500
-- @calls 1/s
SELECT id, full_name, email
FROM customers
WHERE full_name ILIKE '%' || @term::text || '%'
ORDER BY full_name
LIMIT 20;

-- name: ListCustomersPage :many
-- @param page_size: '50'
-- @param skip: '60000'
SELECT id, email, full_name, status, created_at
FROM customers
ORDER BY created_at DESC
LIMIT sqlc.arg(page_size)::bigint OFFSET sqlc.arg(skip)::bigint;

-- name: ListNewestCustomers :many
SELECT id, email, full_name, created_at
FROM customers
ORDER BY created_at DESC
LIMIT 50;

-- name: ListAddressesOfCustomer :many
-- @budget time=10ms buffers=100
-- @calls 80/s
SELECT id, kind, street, city, region, postcode, country_code
FROM addresses
WHERE customer_id = $1
ORDER BY id;

-- name: CreateCustomer :one
-- @param email: 'new.customer@example.com'
-- @param full_name: 'New Customer'
-- @param phone: '+49 30 1234567'
INSERT INTO customers (email, full_name, phone)
VALUES (@email, @full_name, @phone)
RETURNING id;

-- name: UpdateCustomerContact :exec
-- @param full_name: 'Renamed Customer'
-- @param phone: (SELECT NULL)
UPDATE customers
SET full_name  = coalesce(sqlc.narg(full_name), full_name),
    phone      = coalesce(sqlc.narg(phone), phone),
    updated_at = now()
WHERE id = sqlc.arg(id);
