ALTER TABLE posts ADD COLUMN subtitle text;
ALTER TABLE posts ADD CONSTRAINT titles_differ CHECK (title <> subtitle);

---- create above / drop below ----

ALTER TABLE posts DROP CONSTRAINT titles_differ;
ALTER TABLE posts DROP COLUMN subtitle;
