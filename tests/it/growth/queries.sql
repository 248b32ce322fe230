-- 0
SELECT * FROM sales WHERE id = 777
-- 0
SELECT * FROM sales WHERE customer_id = 42
-- 0
SELECT * FROM sales ORDER BY id DESC LIMIT 10
-- 0
SELECT max(id) FROM sales
-- 0
SELECT s.id, k.name FROM sales s JOIN kinds k ON k.id = s.amount WHERE s.id = 99
-- 0
SELECT count(*) FROM kinds
-- 0
SELECT EXISTS (SELECT FROM sales WHERE customer_id = 17)
-- 0
SELECT * FROM sales WHERE id BETWEEN 1000 AND 1100
-- 0.5
SELECT sum(amount) FROM sales WHERE bucket = 5
-- 0.5
SELECT * FROM sales WHERE bucket = 60
-- 1
SELECT count(*) FROM sales WHERE amount = 3
-- 1
SELECT sum(amount) FROM sales WHERE customer_id = 0
-- 1
SELECT * FROM sales ORDER BY amount DESC, id LIMIT 10
-- 1
SELECT count(*) FROM sales WHERE payload LIKE '%abc%'
-- 1
SELECT amount, count(*) FROM sales GROUP BY amount
-- 1
SELECT sum(amount) FROM sales WHERE day >= '2020-04-10' AND day < '2020-07-19'
-- 1
SELECT k.name, sum(s.amount) FROM sales s JOIN kinds k ON k.id = s.amount GROUP BY k.name
-- 1
SELECT * FROM sales WHERE amount + 1 = 50000 LIMIT 5
-- 2
SELECT sum((SELECT count(*) FROM steps b WHERE b.weight < a.weight)) FROM steps a
-- 2
SELECT count(*) FROM steps a WHERE (SELECT avg(b.id) FROM steps b WHERE b.weight < a.weight) > 5
