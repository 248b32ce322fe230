-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE posts ADD COLUMN subtitle text;
CREATE INDEX CONCURRENTLY posts_user_id_idx ON posts (user_id);
ALTER TABLE posts ADD CONSTRAINT titles_differ CHECK (title <> subtitle);

-- +goose Down
ALTER TABLE posts DROP CONSTRAINT titles_differ;
DROP INDEX CONCURRENTLY posts_user_id_idx;
ALTER TABLE posts DROP COLUMN subtitle;
