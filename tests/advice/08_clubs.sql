CREATE TABLE clubs (id int PRIMARY KEY, name text NOT NULL, town int NOT NULL); INSERT INTO clubs SELECT i, 'club ' || i, i % 50 FROM generate_series(1, 2000) i;
CREATE TABLE members (id int PRIMARY KEY, club_id int NOT NULL REFERENCES clubs, joined date NOT NULL, rank text NOT NULL, pad text NOT NULL);
INSERT INTO members SELECT i, 1 + i % 1900, date '2020-01-01' + i % 1500, (ARRAY['x','x','y','z'])[1 + i % 4], repeat('m', 80) FROM generate_series(1, 80000) i;
CREATE TABLE fees (id int PRIMARY KEY, member_id int NOT NULL REFERENCES members, due date NOT NULL, paid boolean NOT NULL, amount int NOT NULL, pad text NOT NULL);
INSERT INTO fees SELECT i, 1 + (i * 7919::bigint % 80000)::int, date '2024-01-01' + i % 365, i % 5 <> 0, i % 90, repeat('f', 50) FROM generate_series(1, 160000) i;
VACUUM ANALYZE;
--- queries
--> index members (club_id)
-- name: MembersOfClub :many
SELECT c.name, m.id FROM clubs c JOIN members m ON m.club_id = c.id WHERE c.id = $1;
--> index fees (member_id)
-- name: FeesOfMember :many
SELECT id, due FROM fees WHERE member_id = $1;
--> index fees (member_id) + members (club_id)
-- name: FeesOfClub :many
SELECT f.id, f.amount FROM clubs c JOIN members m ON m.club_id = c.id JOIN fees f ON f.member_id = m.id WHERE c.id = $1;
--> index fees (member_id)
-- name: OpenOfMember :many
SELECT id, amount FROM fees WHERE member_id = $1 AND NOT paid;
--> index fees (member_id)
-- name: OwedByMember :one
SELECT sum(amount) FROM fees WHERE member_id = $1 AND NOT paid;
--> index fees (member_id) + members (club_id)
-- name: InDebt :many
SELECT m.id FROM members m WHERE m.club_id = $1 AND EXISTS (SELECT FROM fees f WHERE f.member_id = m.id AND NOT f.paid);
--> index members (club_id)
-- name: NewestOfClub :many
SELECT id, joined FROM members WHERE club_id = $1 ORDER BY joined DESC LIMIT 3;
--> index members (club_id)
-- name: CountOfClub :one
SELECT count(*) FROM members WHERE club_id = $1 AND rank = 'y';
--> none
-- name: ClubsOfTown :many
SELECT id, name FROM clubs WHERE town = $1;
--> none
-- name: ClubByName :one
SELECT id FROM clubs WHERE name = $1;
--> none
-- name: AllFees :one
SELECT count(*), sum(f.amount) FROM members m JOIN fees f ON f.member_id = m.id;
--> none
-- name: PerClub :many
SELECT club_id, count(*) FROM members GROUP BY club_id;
--> none
-- name: Faithful :many
SELECT m.id FROM members m WHERE NOT EXISTS (SELECT FROM fees f WHERE f.member_id = m.id);
--> none
-- name: PaidOnes :many
SELECT id, amount FROM fees WHERE paid;
--> none
-- name: ThisYear :one
SELECT sum(amount) FROM fees WHERE due >= '2024-01-01' AND due < '2025-01-01';
--> none
-- name: MemberWithClub :one
SELECT m.id, c.name FROM members m JOIN clubs c ON c.id = m.club_id WHERE m.id = $1;
--> none
-- name: RankedByClub :many
SELECT id, rank() OVER (PARTITION BY club_id ORDER BY joined) FROM members;
--> none
-- name: Pay :exec
UPDATE fees SET paid = true WHERE id = $1;
--> none
-- name: MostRanks :many
SELECT id FROM members WHERE rank = 'x';
