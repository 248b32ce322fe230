--liquibase formatted sql

--changeset bert:index runInTransaction:false
CREATE INDEX CONCURRENTLY posts_user_id_idx ON posts (user_id);

--changeset bert:titles
ALTER TABLE posts ADD COLUMN subtitle text;
ALTER TABLE posts ADD CONSTRAINT titles_differ CHECK (title <> subtitle);
