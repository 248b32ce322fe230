-- name: A :mny
SELECT 1;
