-- Two tables, two troubles: neither follows from the other.
-- expect: error Seq Scan on orders o
-- told: seq-scan
-- told: seq-scan
-- name: Both :one
SELECT (SELECT count(*) FROM orders o WHERE o.total = 17.17 AND o.status = 'paid') AS paid,
       (SELECT count(*) FROM order_items i WHERE i.product_id = 55) AS sold;
