-- Compiled although it is cheap.
-- expect: warning
-- versions: 15
-- The downloaded builds of the others have no LLVM: its plans are made by a build that has.
-- setup
SET LOCAL jit = on;
SET LOCAL jit_above_cost = 0;
SET LOCAL jit_inline_above_cost = 0;
SET LOCAL jit_optimize_above_cost = 0;
-- name: ByCountry :many
SELECT k.name, count(*), min(c.name), max(c.email) FROM customers c JOIN countries k ON k.code = c.country
WHERE c.id <= 1000 AND c.status = 'active' GROUP BY k.name ORDER BY 2 DESC;
